"""Rules for products, sums and normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.program._atoms import (
    Atom,
    ColumnSum,
    Const,
    Matrix,
    OuterSum,
    Vector,
    fold,
    pick,
    product,
    row_sum,
    select,
)
from seqpipe.recurrence.compiler.program._decomposed_reductions import layer_norm, layer_norm_backward
from seqpipe.recurrence.compiler.program._decomposed_selection import largest, smallest
from seqpipe.recurrence.compiler.program._planner import Planner, Rule, rows_of
from seqpipe.recurrence.compiler.program._registry import Registry
from seqpipe.recurrence.compiler.program._rows import (
    Refused,
    Rows,
    arranged,
    axis_of,
    column_shape,
    combine,
    is_zero,
    labels,
)
from seqpipe.recurrence.compiler.program._step_program import Free
from seqpipe.recurrence.compiler.trace import Node

__all__ = ["RULES", "folded"]

RULES: Registry[Rule] = Registry()
_rule = RULES.register

#: Maximum number of column groups that are multiplied one by one, and of elements in products of small matrices; torch
#: is faster for larger ones.
_MAX_GROUPS = 64
_MAX_COLUMNS = 16_384


@_rule("mm", "addmm")
def _product(p: Planner, n: Node) -> Any:
    *bias, a, b = n.args
    left, right = p.values[id(a)], p.values[id(b)]
    if n.kwargs.get("beta", 1) != 1 or n.kwargs.get("alpha", 1) != 1:
        raise Refused("has alpha or beta other than 1")
    if isinstance(left, Rows) and isinstance(right, Rows) and not bias and axis_of(left, p.batch)[0] == 1:
        return _summed_over_samples(p, n, left, right)
    found = _times_matrix(p, n, left, right, b) if isinstance(left, Rows) else _matrix_times(p, n, left, right, a)
    return p.pointwise("add", n, found, bias[0]) if bias else found


def _times_matrix(p: Planner, n: Node, left: Rows, right: Any, b: Node) -> Rows:
    """Multiply the rows of a value, which are samples or groups of columns of samples, by a matrix."""
    axis, before, after = axis_of(left, p.batch)
    if not isinstance(right, Free) or right.late or axis != 0:
        raise Refused("multiplies samples by samples")
    slot, depth = p.real_slot(b), left.shape[1]
    groups = _groups(left.atoms, before * after, depth)
    atoms = [_row_times(group, slot, n.value.shape[1]) for group in groups]
    return Rows(tuple(atoms), tuple(n.value.shape), before)


def _matrix_times(p: Planner, n: Node, left: Any, right: Any, a: Node) -> Rows:
    """Multiply a matrix by columns that are samples."""
    if not isinstance(left, Free) or left.late or not isinstance(right, Rows):
        raise Refused("multiplies samples by samples")
    axis, before, after = axis_of(right, p.batch)
    if axis != 1 or before * after != 1:
        raise Refused("multiplies samples by samples")
    slot = p.early(torch.t, p.real_slot(a), a.value.to(n.value.dtype))
    return Rows((_row_times(right.atoms, slot, n.value.shape[0]),), tuple(n.value.shape), n.value.shape[0])


def _groups(atoms: tuple[Atom, ...], number: int, width: int) -> list[tuple[Atom, ...]]:
    if number == 1:
        return [atoms]
    if number > _MAX_GROUPS:
        raise Refused(f"multiplies more than {_MAX_GROUPS} groups of columns by a matrix")
    return [pick(atoms, range(k * width, (k + 1) * width)) for k in range(number)]


def _row_times(atoms: tuple[Atom, ...], slot: int, width: int) -> Atom:
    row, terms = 0, []
    for atom in atoms:
        if not is_zero(atom):
            terms.append((atom, Matrix(slot, row, 0)))
        row += atom.width
    return product(tuple(terms), width) if terms else Const(0.0, width)


def _summed_over_samples(p: Planner, n: Node, left: Rows, right: Rows) -> Any:
    """Sum the products of two values' columns over samples and groups, as in the gradient of a matrix."""
    axis, before, after = axis_of(right, p.batch)
    height, width = n.value.shape
    if axis != 0 or axis_of(left, p.batch)[1:] != (before, after):
        raise Refused("multiplies samples by samples")
    number = before * after
    pairs = [(left, right)]
    if number > 1:
        turned = [pick(left.atoms, range(k, left.width, number)) for k in range(number)]
        pairs = [
            (Rows(a, (height, p.batch), height), Rows(b, (p.batch, width)))
            for a, b in zip(turned, _groups(right.atoms, number, width))
        ]
    total = None
    for one, other in pairs:
        free = p.assemble(n, _outer(p, one, other), _block_maker(one, other))
        total = free if total is None else p.late(torch.add, n.value, total, free)
    return total


@_rule("bmm", "baddbmm")
def _products(p: Planner, n: Node) -> Any:
    *added, a, b = n.args
    if n.kwargs.get("beta", 1) != 1 or n.kwargs.get("alpha", 1) != 1:
        raise Refused("has alpha or beta other than 1")
    left, right = p.values[id(a)], p.values[id(b)]
    axes = [axis_of(v, p.batch)[0] if isinstance(v, Rows) else None for v in (left, right)]
    if axes == [0, 0]:
        found: Any = _small_products(p, n, left, right)
    elif axes == [2, 1] and not added:
        return _stacked(p, n, left, right)
    elif axes in ([1, None], [None, 2]) and len(a.value) <= _MAX_GROUPS:
        found = _each_product(p, n, left, right, a, b)
    else:
        raise Refused("multiplies samples by samples")
    return p.pointwise("add", n, found, added[0]) if added else found


def _each_product(p: Planner, n: Node, left: Any, right: Any, a: Node, b: Node) -> Rows:
    """Multiply each group of columns of the samples by its own matrix."""
    rows, matrices = (left, b) if isinstance(left, Rows) else (right, a)
    late = isinstance(p.values[id(matrices)], Free) and p.values[id(matrices)].late
    number = len(matrices.value)
    if late or axis_of(rows, p.batch)[1:] != (1, 1):
        raise Refused("multiplies samples by samples")
    slot, value = p.real_slot(matrices), matrices.value.to(n.value.dtype)
    width, atoms = n.value[0].numel() // p.batch, []
    for k, group in enumerate(_groups(rows.atoms, number, rows.width // number)):
        one = p.early(_Entry(k, turned=rows is right), slot, value)
        atoms.append(_row_times(group, one, width))
    return Rows(tuple(atoms), tuple(n.value.shape), number * (1 if rows is left else width))


class _Entry:
    """One matrix of a batch of matrices, optionally transposed."""

    def __init__(self, k: int, *, turned: bool) -> None:
        self.k, self.turned = k, turned

    def __call__(self, matrices: Tensor) -> Tensor:
        return matrices[self.k].t() if self.turned else matrices[self.k]


def _stacked(p: Planner, n: Node, left: Rows, right: Rows) -> Free:
    """Sum the products of two values' columns over samples, separately for each group."""
    number, height, width = n.value.shape
    if axis_of(left, p.batch)[1:] != (1, 1) or axis_of(right, p.batch)[1:] != (1, 1):
        raise Refused("multiplies samples by samples")
    found = []
    for a, b in zip(_groups(left.atoms, number, height), _groups(right.atoms, number, width)):
        one, other = Rows(a, (height, p.batch), height), Rows(b, (p.batch, width))
        found.append(p.assemble_value(n.value[0], _outer(p, one, other), _block_maker(one, other)))
    return p.late(lambda *parts: torch.stack(parts), n.value, *found)


def _small_products(p: Planner, n: Node, left: Rows, right: Rows) -> Rows:
    """Multiply two matrices per sample, by elementwise products and sums."""
    (_, height, depth), width = left.shape, right.shape[2]
    size = left.shape[0]
    if math.prod((size // p.batch, height, depth, width)) > _MAX_COLUMNS:
        raise Refused(f"multiplies matrices of each sample with more than {_MAX_COLUMNS} products")
    if axis_of(left, p.batch) != axis_of(right, p.batch):
        raise Refused("multiplies samples by samples")
    shape = (size, height, depth, width)
    one = arranged(left.atoms, labels(left, p.batch).unsqueeze(3).expand(shape), p.batch)
    other = arranged(right.atoms, labels(right, p.batch).unsqueeze(1).expand(shape), p.batch)
    products = combine("mul", [one, other], shape, one.outer, one.width)
    return folded(p, products, {2}, "sum", tuple(n.value.shape))


def _outer(p: Planner, left: Rows, right: Rows) -> list[list[int | None]]:
    return [[None if is_zero(x) or is_zero(y) else p.reduce(OuterSum(x, y)) for y in right.atoms] for x in left.atoms]


def _block_maker(left: Rows, right: Rows) -> Callable[..., Tensor]:
    heights, widths = [a.width for a in left.atoms], [a.width for a in right.atoms]

    def concatenate(blocks: list[list[Tensor | None]]) -> Tensor:
        if len(blocks) == len(blocks[0]) == 1 and blocks[0][0] is not None:
            return blocks[0][0]
        like = next((b for row in blocks for b in row if b is not None), torch.zeros(()))
        rows = [
            torch.cat([like.new_zeros(h, w) if b is None else b for b, w in zip(row, widths)], dim=1)
            for row, h in zip(blocks, heights)
        ]
        return torch.cat(rows)

    return concatenate


def _dims(n: Node, default: Any = None) -> set[int]:
    """Return the dimensions that an operation reduces."""
    ndim = n.args[0].value.ndim
    given = n.args[1] if len(n.args) > 1 else n.kwargs.get("dim", default)
    given = [given] if isinstance(given, int) else given
    return {d % ndim for d in given} if given else set(range(ndim))


@_rule("sum", "mean")
def _sum(p: Planner, n: Node) -> Any:
    rows, dims = rows_of(p, n.args[0]), _dims(n)
    if n.args[0].value.is_complex():
        raise Refused("sums complex numbers")
    shape, is_mean = tuple(n.value.shape), n.op.overloadpacket.__name__ == "mean"
    axis, before, after = axis_of(rows, p.batch)
    if axis not in dims:
        total = folded(p, rows, dims, "sum", shape)
        number = rows.width // total.width
        width = total.width
        return combine("mul", [total, 1.0 / number], shape, total.outer, width) if is_mean and number > 1 else total
    if is_mean:
        raise Refused("averages over the samples of a batch")
    slots = [None if is_zero(a) else p.reduce(ColumnSum(a)) for a in rows.atoms]
    widths, full = [a.width for a in rows.atoms], column_shape(rows, p.batch)
    rest = sorted(d for d in dims if d != axis or before * after > 1)

    def concatenate(blocks: list[list[Tensor | None]]) -> Tensor:
        like = next((b for b in blocks[0] if b is not None), torch.zeros(()))
        whole = torch.cat([like.new_zeros(w) if b is None else b for b, w in zip(blocks[0], widths)]).view(full)
        return (whole.sum(rest) if rest else whole).reshape(shape)

    return p.assemble(n, [slots], concatenate)


def folded(p: Planner, rows: Rows, dims: set[int], op: str, shape: tuple[int, ...]) -> Rows:
    """Reduce the columns of a value along dimensions other than that of the samples."""
    axis, before, _ = axis_of(rows, p.batch)
    sizes = list(column_shape(rows, p.batch))
    reduced = [d for d in range(len(sizes)) if d in dims and d != axis and sizes[d] != 1]
    if axis in dims:
        raise Refused("mixes samples")
    outer = math.prod(sizes[d] for d in range(axis) if d not in reduced) * before
    if not reduced:
        return Rows(rows.atoms, shape, outer)
    if op == "sum" and all(size == 1 for d, size in enumerate(sizes) if d not in reduced):
        return Rows((row_sum(rows.atoms),), shape)
    atom = rows.atoms[0] if len(rows.atoms) == 1 else select(rows.atoms, range(rows.width))
    while reduced:
        last = first = reduced.pop()
        while reduced and all(sizes[d] == 1 for d in range(reduced[-1] + 1, first)):
            first = reduced.pop()
        atom = fold(op, atom, math.prod(sizes[first : last + 1]), math.prod(sizes[last + 1 :]))
        sizes[first : last + 1] = [1] * (last + 1 - first)
    return Rows((atom,), shape, outer)


_FOLDS = {"amax": "max", "amin": "min", "max": "max", "min": "min", "prod": "prod", "any": "max", "all": "min"}


@_rule(*_FOLDS)
def _fold(p: Planner, n: Node) -> Any:
    name = n.op.overloadpacket.__name__
    if name in ("max", "min") and isinstance(n.args[1] if len(n.args) > 1 else None, Node):
        return p.pointwise(name, n, n.args[0], n.args[1])
    if "__item__" in n.kwargs:
        return p.decomposed(n, largest if name == "max" else smallest)
    rows, dims = rows_of(p, n.args[0]), _dims(n)
    if name in ("any", "all"):
        source = n.args[0]
        rows = (
            combine("ne", [rows, 0.0], rows.shape, rows.outer, rows.width) if source.value.dtype != torch.bool else rows
        )
    return folded(p, rows, dims, _FOLDS[name], tuple(n.value.shape))


@_rule("native_layer_norm")
def _layer_norm(p: Planner, n: Node) -> Rows:
    x, shape, weight, bias, epsilon = n.args
    rows = rows_of(p, x)
    if math.prod(shape) != rows.width or rows.outer != 1:
        return p.decomposed(n, layer_norm)
    column = tuple(p.batch if s == p.batch and d == 0 else 1 for d, s in enumerate(rows.shape))
    mean = _scaled(_row_total(rows, column), 1.0 / rows.width)
    centred = _combined("sub", rows, mean)
    squares = _row_total(_combined("mul", centred, centred), column)
    variance = combine("add", [_scaled(squares, 1.0 / rows.width), float(epsilon)], column, 1, 1)
    scale = combine("rsqrt", [variance], column, 1, 1)
    if n.kwargs["__item__"] != 0:
        return Rows((mean if n.kwargs["__item__"] == 1 else scale).atoms, tuple(n.value.shape))
    result = _combined("mul", centred, scale)
    result = result if weight is None else p.pointwise("mul", n, result, weight)
    return result if bias is None else p.pointwise("add", n, result, bias)


@_rule("native_layer_norm_backward")
def _layer_norm_backward(p: Planner, n: Node) -> Any:
    grad, x, shape, mean, scale, weight = n.args[:6]
    rows, g = rows_of(p, x), rows_of(p, grad)
    if math.prod(shape) != rows.width or rows.outer != 1:
        return p.decomposed(n, layer_norm_backward)
    column = tuple(p.batch if s == p.batch and d == 0 else 1 for d, s in enumerate(rows.shape))
    scale_rows = rows_of(p, scale)
    normal = _combined("mul", _combined("sub", rows, rows_of(p, mean)), scale_rows)
    item = n.kwargs["__item__"]
    if item != 0:
        summed = g if item == 2 else _combined("mul", g, normal)
        slots = [p.reduce(ColumnSum(a)) for a in summed.atoms]
        return p.assemble(n, [list(slots)], lambda blocks: torch.cat(blocks[0]).view(tuple(shape)))
    weighted = g if weight is None else _combined("mul", g, p.vector(weight, rows.shape, 1))
    average = _scaled(_row_total(weighted, column), 1.0 / rows.width)
    share = _scaled(_row_total(_combined("mul", weighted, normal), column), 1.0 / rows.width)
    rest = _combined("sub", _combined("sub", weighted, average), _combined("mul", normal, share))
    return _combined("mul", rest, scale_rows)


def _combined(op: str, rows: Rows, other: Rows | Vector) -> Rows:
    return combine(op, [rows, other], rows.shape, 1, rows.width)


def _scaled(rows: Rows, factor: float) -> Rows:
    return combine("mul", [rows, factor], rows.shape, 1, 1)


def _row_total(rows: Rows, shape: tuple[int, ...]) -> Rows:
    return Rows((row_sum(rows.atoms),), shape)
