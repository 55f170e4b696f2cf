"""The stages of a time step as C: operations that read across columns first, then the rest by column blocks."""

from __future__ import annotations

from seqpipe.recurrence.compiler.c._moves import literal, write_fold, write_select
from seqpipe.recurrence.compiler.c._products import ProductStage, write_products
from seqpipe.recurrence.compiler.c._storage import Storage
from seqpipe.recurrence.compiler.c._vectors import vector_statements
from seqpipe.recurrence.compiler.c._writer import CWriter, copy_numbers, for_each
from seqpipe.recurrence.compiler.program import Atom, Const, Fold, Product, RowSum, Select, Stage, arguments, is_across

__all__ = ["write_stages"]


def write_stages(storage: Storage, stages: list[Stage], *, ahead: CWriter | None = None) -> CWriter:
    """Return the code of all stages; for ``ahead`` see `write_products`."""
    _keep_across_stages(storage, stages)
    out = CWriter()
    for stage in stages:
        _write_stage(out, storage, stage, ahead)
    return out


def _keep_across_stages(storage: Storage, stages: list[Stage]) -> None:
    """Allocate buffers for the atoms that later stages, or operations across columns, read."""
    at = {a: i for i, s in enumerate(stages) for a in s.atoms}
    for i, stage in enumerate(stages):
        for atom in stage.atoms:
            for argument in arguments(atom):
                across = is_across(atom) or argument.width != atom.width
                if argument in at and (at[argument] != i or across):
                    storage.keep(argument)


def _write_stage(out: CWriter, storage: Storage, stage: Stage, ahead: CWriter | None) -> None:
    rest: list[Atom] = []
    for atom in stage.atoms:
        if isinstance(atom, RowSum):
            _write_row_sum(out, storage, atom)
        elif isinstance(atom, (Fold, Select)):
            _write_moved(out, storage, atom)
        else:
            rest.append(atom)
    products = [a for a in rest if isinstance(a, Product)]
    if products:
        write_products(out, storage, ProductStage(rest, products), ahead=ahead)
    elif rest:
        statements = vector_statements(storage, rest, {})
        with out.block(for_each("r", "m"), for_each("j", storage.file.target.padded(stage.width), step="VL")):
            out.write(*statements)


def _write_row_sum(out: CWriter, storage: Storage, atom: RowSum) -> None:
    storage.keep(atom)
    with out.block(for_each("r", "m")):
        out.declare("REAL", total="0")
        for term in atom.terms:
            if isinstance(term, Const):
                out.write(f"total += {literal(term.value * term.width)};")
                continue
            with out.block():
                out.declare("const REAL *", a=storage.address_of(term).of_row())
                out.write("V s = splat(0); L j = 0;")
                out.write(f"for (; j + VL <= {term.width}; j += VL) s += load(a + j);", "EACH(total += s[l])")
                out.write(f"for (; j < {term.width}; j++) total += a[j];")
        for store in storage.stores[atom]:
            to = store.address
            out.write(f"{to.pointer}[r * {to.stride} + {to.start}] = total;")


def _write_moved(out: CWriter, storage: Storage, atom: Fold | Select) -> None:
    """Reduce or reorder the columns of stored atoms, row by row."""
    storage.keep(atom)
    address = storage.addresses[atom]

    def row_of(argument: Atom) -> tuple[str, bool]:
        found = storage.address_of(argument)
        return found.of_row(), not found.edge

    with out.block(for_each("r", "m")):
        out.write(f"REAL *const d = {address.of_row()};")
        if isinstance(atom, Fold):
            storage.file.functions |= write_fold(out, atom, row_of)
        else:
            storage.file.functions |= write_select(out, atom, row_of)
        for store in storage.stores[atom]:
            if store.address != address:
                out.write(copy_numbers(store.address.of_row(), "d", atom.width))
