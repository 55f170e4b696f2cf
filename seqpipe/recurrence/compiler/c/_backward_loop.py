"""The backward time loop as C."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from seqpipe.recurrence.compiler.c._c_file import CFile
from seqpipe.recurrence.compiler.c._kernel import CKernel
from seqpipe.recurrence.compiler.c._loops import blocks_of_rows, outgrows_cache, step_inputs
from seqpipe.recurrence.compiler.c._preamble import PARAMETERS
from seqpipe.recurrence.compiler.c._products import ProductStage, write_products
from seqpipe.recurrence.compiler.c._stages import write_stages
from seqpipe.recurrence.compiler.c._storage import Address, Storage
from seqpipe.recurrence.compiler.c._writer import CWriter, call, clear, copy_numbers, declaration, for_each
from seqpipe.recurrence.compiler.program import (
    Atom,
    Const,
    Input,
    Layout,
    Product,
    StepProgram,
    Target,
    copy,
    schedule,
)

__all__ = ["emit_backward"]


def emit_backward(program: StepProgram, layout: Layout, target: Target) -> CKernel:
    """Return the C of the backward loop."""
    file = CFile(target)
    storage = Storage(file)
    inputs = step_inputs(storage, layout)
    _address_results(storage, inputs, program, layout)
    addressed = set(storage.addresses)

    def available(atom: Atom) -> bool:
        return isinstance(atom, Input) or atom in addressed

    carries = _Carries(storage, program, layout)
    goals = carries.goals
    sunk = _sunk(program, layout, target, available)
    if program.x_grad is not None and not sunk:
        goals += _put_x_grad(storage, inputs, program.x_grad)
    if program.x_grad is not None:
        carries.begin.add(_clear_x_grad(file, sum(a.width for a in program.x_grad)))
    chunks = _Chunks(storage, goals, inputs, addressed)
    sums, sizes = _sum_code(layout, chunks)
    sums.add(_sunk_code(sunk, chunks))
    steps = write_stages(storage, schedule(goals, available))
    chunk = file.buffer("C * sizeof(L) / sizeof(REAL) + 8")
    body = CWriter()
    body.declare("L *", ms=f"(L *)(((uintptr_t){chunk} + 7) & ~(uintptr_t)7)")
    with blocks_of_rows(body):
        body.write("L m = 0, slot = 0;", "const L steps = rows ? len[b] : 0;")
        body.add(carries.begin)
        with body.block("for (L t = steps - 1; t >= 0; t--)"):
            body.write("while (m < rows && len[b + m] > t) m++;")
            body.add(inputs)
            body.add(steps)
            body.add(carries.swap)
            body.write("ms[slot++] = m;")
            with body.block("if (slot == C || t == 0)"):
                body.add(sums)
                body.write("slot = 0;")
        body.add(carries.end)
    return CKernel(file.source(body, sizes[-1] + target.lanes), file.arguments.pointers, file.arguments.numbers, sizes)


def _address_results(storage: Storage, inputs: CWriter, program: StepProgram, layout: Layout) -> None:
    """Assign addresses to the values stored by the forward loop and to the gradient of the output."""
    arguments = storage.file.arguments
    for k, (atoms, width) in enumerate(zip(program.new_states, layout.state_widths)):
        start = 0
        for atom in atoms:
            if not isinstance(atom, (Input, Const)):
                address = Address(f"after{k}", str(storage.file.target.padded(width)), start)
                storage.addresses.setdefault(atom, address)
            start += atom.width
    inputs.point("const REAL *", kept=f"{arguments.pointer('kept')} + (t * B + b) * {layout.kept_width}")
    for atom, start in layout.kept.items():
        storage.addresses[atom] = Address("kept", str(layout.kept_width), start)
    step, row = arguments.number("grad_step"), arguments.number("grad_row")
    inputs.point("const REAL *", grad=f"{arguments.pointer('output_grad')} + t * {step} + b * {row}")
    storage.addresses[Input("output_grad", 0, 0, 0)] = Address("grad", row, edge=True)


def _put_x_grad(storage: Storage, inputs: CWriter, x_grad: tuple[Atom, ...]) -> list[Atom]:
    arguments = storage.file.arguments
    to = arguments.pointer("x_grad")
    step, row = arguments.number("x_grad_step"), arguments.number("x_grad_row")
    inputs.declare("REAL *", to_x=f"{to} + t * {step} + b * {row}")
    return storage.put(x_grad, "to_x", row, padded=False)


def _clear_x_grad(file: CFile, width: int) -> CWriter:
    """Return the code that sets the gradient of x to zero past the end of each row."""
    out, arguments = CWriter(), file.arguments
    to = arguments.pointer("x_grad")
    step, row = arguments.number("x_grad_step"), arguments.number("x_grad_row")
    steps = for_each("t", "T", start="len[b + r]")
    out.write(f"{for_each('r', 'rows')} {steps} {clear(f'{to} + t * {step} + (b + r) * {row}', width)}")
    return out


class _Carries:
    """The gradient of each state, in two buffers that are swapped at every step.

    Attributes
    ----------
    goals : list of Atom
        Atoms that each step computes.
    begin, swap, end : CWriter
        Code before the steps of a block, after each step, and after all of them.
    """

    def __init__(self, storage: Storage, program: StepProgram, layout: Layout) -> None:
        self.goals: list[Atom] = []
        self.begin, self.swap, self.end = CWriter(), CWriter(), CWriter()
        for k, (atoms, width) in enumerate(zip(program.state_grads, layout.state_widths)):
            padded = storage.file.target.padded(width)
            buffers = storage.file.buffer(f"R * {padded}"), storage.file.buffer(f"R * {padded}")
            storage.addresses[Input("state_grad", k, 0, 0)] = Address(f"carry{k}", str(padded))
            self.goals += storage.put(atoms, f"next{k}", str(padded), padded=True)
            self._write(storage.file, k, width, buffers)

    def _write(self, file: CFile, k: int, width: int, buffers: tuple[str, str]) -> None:
        one, two = buffers
        padded = file.target.padded(width)
        after, before = file.arguments.pointer("final_grad", k), file.arguments.pointer("state_grad", k)
        self.begin.declare("REAL *", **{f"carry{k}": one, f"next{k}": two})
        # Uninitialized memory past the last column could hold denormal numbers, which are slow to compute with.
        self.begin.write(clear(one, f"rows * {padded}"), clear(two, f"rows * {padded}"))
        with self.begin.block(f"if ({after})", for_each("r", "rows")):
            for buffer in buffers:
                self.begin.write(copy_numbers(f"{buffer} + r * {padded}", f"{after} + (b + r) * {width}", width))
        with self.swap.block():
            self.swap.declare("REAL *", s=f"carry{k}")
            self.swap.write(f"carry{k} = next{k};", f"next{k} = s;")
        found = copy_numbers(f"{before} + (b + r) * {width}", f"carry{k} + r * {padded}", width)
        self.end.write(f"{for_each('r', 'rows')} {found}")


@dataclass
class _Chunks:
    """Buffers of the backward loop for a chunk of steps, last step first."""

    storage: Storage
    goals: list[Atom]
    inputs: CWriter
    addressed: set[Atom]
    found: dict[Atom, tuple[str, int]] = field(default_factory=dict)

    def of(self, atom: Atom) -> tuple[str, int]:
        """Return the buffer of an atom's chunk and the width of its rows."""
        if atom not in self.found:
            width = self.storage.file.target.padded(atom.width)
            name = self.storage.file.buffer(f"C * R * {width}")
            self.inputs.declare("REAL *", **{f"at_{name}": f"{name} + slot * R * {width}"})
            computed = atom if atom not in self.addressed else copy(atom)
            address = Address(f"at_{name}", str(width))
            self.storage.store(computed, address)
            if computed is atom:
                self.storage.addresses.setdefault(atom, address)
            self.goals.append(computed)
            self.found[atom] = name, width
        return self.found[atom]


def _sum_code(layout: Layout, chunks: _Chunks) -> tuple[CWriter, tuple[int, ...]]:
    """Return the code that sums over the rows and steps of a chunk, and the offset of each sum."""
    out, file = CWriter(), chunks.storage.file
    sizes, start = [], 0
    for found in layout.sums:
        name, width = chunks.of(found.columns)
        columns: dict[str, str | int] = {
            "dst": f"(V *)({file.arguments.pointer('sums')} + {start})", "nv": width // file.target.lanes,
            "a": name, "at": f"R * {width}", "ar": width, "nt": "slot", "rows": "ms",
        }  # fmt: skip
        if found.rows is None:
            out.write(call("column_sum", PARAMETERS["column_sum"], **columns))
            size = width
        else:
            pointer, step, row = _row_operand(found.rows, layout, chunks)
            factors: dict[str, str | int] = {"b": pointer, "bt": step, "br": row, "K": found.rows.width}
            out.write(call("outer_sum", PARAMETERS["outer_sum"], **columns, **factors))
            size = width * found.rows.width
        sizes.append(start)
        start += size
    return out, (*sizes, start)


def _row_operand(atom: Atom, layout: Layout, chunks: _Chunks) -> tuple[str, str, str]:
    """Return a pointer to the chunk's first step, and the strides of steps and rows."""
    file = chunks.storage.file
    arguments = file.arguments
    if isinstance(atom, Input) and atom.source == "x":
        step, row = arguments.number("x_step"), arguments.number("x_row")
        return f"{arguments.pointer('x')} + (t + slot - 1) * {step} + b * {row} + {atom.start}", f"-{step}", row
    if isinstance(atom, Input) and atom.source == "state":
        width, start = file.target.padded(layout.state_widths[atom.index]), atom.start
        base = arguments.pointer("state", atom.index)
    elif atom in layout.kept:
        width, start = layout.kept_width, layout.kept[atom]
        base = arguments.pointer("kept")
    else:
        name, width = chunks.of(atom)
        return name, f"R * {width}", str(width)
    return f"{base} + ((t + slot - 1) * B + b) * {width} + {start}", f"-B * {width}", str(width)


def _sunk(
    program: StepProgram, layout: Layout, target: Target, available: Callable[[Atom], bool]
) -> tuple[Product, ...]:
    """Return the products of the gradient of x to sink out of the step, if no step needs them and cache is short."""
    wanted = program.x_grad or ()
    sums = [a for found in layout.sums for a in (found.columns, found.rows) if a is not None]
    loop = schedule([*(a for atoms in program.state_grads for a in atoms), *sums], available)
    in_loop = {a for stage in loop for a in stage.atoms}
    found = tuple(a for a in wanted if isinstance(a, Product) and a not in in_loop)
    outgrows = outgrows_cache([*loop, *schedule(wanted, available)], target)
    return found if outgrows and len(set(found)) == len(wanted) else ()


def _sunk_code(sunk: tuple[Product, ...], chunks: _Chunks) -> CWriter:
    """Return the code of the sunk products, for all steps of a chunk, panel by panel."""
    out, storage = CWriter(), chunks.storage
    if not sunk:
        return out
    arguments = storage.file.arguments
    row, step = arguments.number("x_grad_row"), arguments.number("x_grad_step")
    to = f"{arguments.pointer('x_grad')} + (t + slot - 1 - s) * {step} + b * {row}"
    per_step = [for_each("s", "slot"), declaration("const L", m="ms[s]"), declaration("REAL *", to_x=to)]
    storage.put(sunk, "to_x", row, padded=False)
    operands = dict.fromkeys(a for found in sunk for a, _ in found.terms)  # not a set: its order varies by process
    stored = {a: chunks.of(copy(a) if isinstance(a, (Input, Const)) else a) for a in operands}
    addresses = dict(storage.addresses)
    storage.addresses |= {a: Address(f"({name} + s * R * {width})", str(width)) for a, (name, width) in stored.items()}
    for found in sunk:
        write_products(out, storage, ProductStage([found], [found]), per_step=per_step)
    storage.addresses = addresses
    return out
