"""Products as C: panels of columns, split into tiles of rows whose sums stay in registers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from seqpipe.recurrence.compiler.c._preamble import KERNEL_PARAMETERS, PARAMETERS
from seqpipe.recurrence.compiler.c._storage import Storage
from seqpipe.recurrence.compiler.c._vectors import vector_statements
from seqpipe.recurrence.compiler.c._writer import CWriter, call, declaration, for_each
from seqpipe.recurrence.compiler.program import Atom, Input, Matrix, Product, Target

__all__ = ["ProductStage", "write_products"]

_Calls = dict[int, list[str]]


@dataclass(frozen=True)
class Tiling:
    """The tiling of the columns and rows of products.

    Attributes
    ----------
    width, n_vectors : int
        Columns of each product, and the vectors that hold them.
    per_product, total : int
        Vectors per panel of each product, and of all products.
    panels : int
    heights : list of int
        Rows per tile, in decreasing order.
    """

    width: int
    n_vectors: int
    per_product: int
    total: int
    panels: int
    heights: list[int]

    @property
    def rows(self) -> str:
        """The C for the rows of a tile when ``left`` rows remain."""
        return f"(left < {self.heights[0]} ? left : {self.heights[0]})"


class Operand(NamedTuple):
    """An atom that products multiply, with the products' indices and matrices: at most one per product."""

    atom: Atom
    members: list[tuple[int, Matrix]]


class ProductStage(NamedTuple):
    """Products of one width, and all atoms of that width that are computed with them."""

    atoms: Sequence[Atom]
    products: Sequence[Product]


def write_products(
    out: CWriter, storage: Storage, stage: ProductStage, *, ahead: CWriter | None = None, per_step: Sequence[str] = ()
) -> None:
    """Write a stage with products.

    Parameters
    ----------
    out : CWriter
    storage : Storage
    stage : ProductStage
    ahead : CWriter, optional
        Receives the products of x that are computed for several steps at once; by default there are none.
    per_step : sequence of str
        The header of a loop that reuses each panel, and its declarations.
    """
    operands = list(_operands(stage.products))
    tiling = _tiling(stage, operands, storage.file.target)
    calls: _Calls = {height: [] for height in tiling.heights}
    early: _Calls = {height: [] for height in tiling.heights}
    for operand in operands:
        is_early = ahead is not None and isinstance(operand.atom, Input) and operand.atom.source == "x"
        _add_calls(storage, operand, tiling, early if is_early else calls)
    start = f"memset(z, 0, {tiling.heights[0] * tiling.total} * sizeof(V));"
    if ahead is not None and early[1]:
        start = _write_ahead(ahead, storage, tiling, early)
    with out.block(for_each("q", tiling.panels)), out.block(per_step[0]) if per_step else nullcontext():
        out.write(*per_step[1:])
        with out.block(_TILES):
            out.write(f"V z[{tiling.heights[0] * tiling.total}];", _LEFT, start)
            _write_tiles(out, calls)
            _write_rows(out, storage, stage, tiling)


_TILES = "for (L r0 = 0, k; r0 < m; r0 += k)"
_LEFT = declaration("const L", left="m - r0")


def _operands(products: Sequence[Product]) -> Iterator[Operand]:
    groups: dict[Atom, list[tuple[int, Matrix]]] = {}
    for i, found in enumerate(products):
        for atom, matrix in found.terms:
            groups.setdefault(atom, []).append((i, matrix))
    for atom, members in groups.items():
        while members:  # a product may read one atom through several matrices
            part = list(dict(members).items())
            members = [m for m in members if m not in part]
            yield Operand(atom, part)


def _tiling(stage: ProductStage, operands: list[Operand], target: Target) -> Tiling:
    width = stage.products[0].width
    n_vectors = target.padded(width) // target.lanes
    per_product = _panel_vectors(len(stage.products), n_vectors, target.registers)
    most = max(len(operand.members) for operand in operands)
    heights = _tile_heights(most * per_product, target.registers)
    return Tiling(
        width, n_vectors, per_product, len(stage.products) * per_product, -(-n_vectors // per_product), heights
    )


def _panel_vectors(n_products: int, n_vectors: int, registers: int) -> int:
    """Return the vectors of columns per product in a tile: prefers little padding and wide tiles."""
    most = max(1, min((5 if registers >= 32 else 2) // n_products, n_vectors))

    def cost(nv: int) -> float:
        return -(-n_vectors // nv) * nv * (1 + 0.6 / (nv * n_products))

    return min(range(1, most + 1), key=cost)


def _tile_heights(vectors: int, registers: int) -> list[int]:
    """Return the rows per tile, decreasing, such that sums, a row's ``vectors`` and a factor stay in registers."""
    most = max(1, (registers - 3) // vectors - (1 if registers >= 32 else 0))
    return [h for h in (8, 6, 4, 2, 1) if h <= most]


def _add_calls(storage: Storage, operand: Operand, tiling: Tiling, calls: _Calls) -> None:
    """Pack the matrices that multiply one atom, and add the kernel calls."""
    file, atom = storage.file, operand.atom
    vectors = len(operand.members) * tiling.per_product
    packed = file.buffer(f"{tiling.panels * atom.width * vectors} * VL")
    for a, (_, matrix) in enumerate(operand.members):
        file.setup.append(_packing(storage, matrix, tiling, packed, atom.width, vectors, a))
    offsets = [i * tiling.per_product + v for i, _ in operand.members for v in range(tiling.per_product)]
    address = storage.address_of(atom)
    for height in calls:
        file.kernels.add((height, vectors))
        calls[height].append(
            call(
                f"mk{height}_{vectors}",
                KERNEL_PARAMETERS,
                K=atom.width,
                a=address.of_row("r0"),
                lda=address.stride,
                b=f"{packed} + q * {atom.width * vectors} * VL",
                z="z",
                zs=tiling.total,
                o=f"(const L[]){{{', '.join(map(str, offsets))}}}",
            )
        )


def _packing(
    storage: Storage, matrix: Matrix, tiling: Tiling, packed: str, rows: int, vectors: int, position: int
) -> str:
    """Return the statement that packs a matrix, panel by panel, at ``position`` among its neighbours."""
    arguments = storage.file.arguments
    rs, cs = arguments.number("stride", matrix.slot, 0), arguments.number("stride", matrix.slot, 1)
    return call(
        "pack",
        PARAMETERS["pack"],
        dst=packed,
        w=f"{arguments.pointer('free', matrix.slot)} + {matrix.row} * {rs} + {matrix.column} * {cs}",
        rs=rs,
        cs=cs,
        K=rows,
        n=tiling.width,
        panels=tiling.panels,
        vectors=vectors,
        nv=tiling.per_product,
        a=position,
    )


def _write_ahead(out: CWriter, storage: Storage, tiling: Tiling, calls: _Calls) -> str:
    """Multiply x of the next H steps ahead of them; return the statement that initializes a tile with the result."""
    kept = storage.file.buffer(f"{tiling.panels} * H * R * {tiling.total} * VL")

    def sums_at(step: str) -> str:
        return f"{kept} + ((q * H + {step}) * R + r0) * {tiling.total} * VL"

    size = f"{tiling.rows} * {tiling.total} * sizeof(V)"
    with out.block(for_each("q", tiling.panels), "for (L h = 0; h < H && t + h < steps; h++)"):
        out.write(f"const REAL *const x0 = x, *x = x0 + h * {storage.file.arguments.number('x_step')};")
        with out.block(_TILES):
            out.write(_LEFT, declaration("V *", z=f"(V *)({sums_at('h')})"), f"memset(z, 0, {size});")
            _write_tiles(out, calls)
    return f"memcpy(z, {sums_at('t % H')}, {size});"


def _write_tiles(out: CWriter, calls: _Calls) -> None:
    """Write the calls for the highest tile that the remaining rows fill."""
    highest = max(calls)
    for height, statements in calls.items():
        test = f"left >= {height}" + (" && left != 8" if height == highest == 6 else "")  # 8 rows: two tiles of 4
        otherwise = "else" if height != highest else ""
        with out.block(*filter(None, [otherwise, f"if ({test})" if height != 1 else ""])):
            out.write(f"k = {height};", *statements)


def _write_rows(out: CWriter, storage: Storage, stage: ProductStage, tiling: Tiling) -> None:
    """Write the code that uses the sums of a tile, vector by vector."""
    nv = tiling.per_product
    values: dict[Atom, str] = {a: f"z[i * {tiling.total} + {i * nv} + v]" for i, a in enumerate(stage.products)}
    with out.block(for_each("i", "k")):
        out.declare("L", r="r0 + i")
        with out.block(f"for (L v = 0; v < {nv} && q * {nv} + v < {tiling.n_vectors}; v++)"):
            out.declare("L", j=f"(q * {nv} + v) * VL")
            out.write(*vector_statements(storage, stage.atoms, values))
