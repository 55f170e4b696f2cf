"""Rules for products, sums and normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler._atoms import (
    ColumnSum,
    Const,
    Matrix,
    OuterSum,
    product,
    row_sum,
)
from seqpipe.recurrence.compiler._planner import Planner, RuleBook, rows_of
from seqpipe.recurrence.compiler._program import Free
from seqpipe.recurrence.compiler._rows import Refused, Rows, Turned, combine, is_zero
from seqpipe.recurrence.compiler._trace import Node

__all__ = ["RULES"]

RULES = RuleBook()
_rule = RULES.of


@_rule("mm", "addmm")
def _product(p: Planner, n: Node) -> Any:
    *bias, a, b = n.args
    left, right = p.values[id(a)], p.values[id(b)]
    if n.kwargs.get("beta", 1) != 1 or n.kwargs.get("alpha", 1) != 1:
        raise Refused("is scaled")
    if isinstance(left, Turned) and isinstance(right, Rows) and not bias:
        return p.assemble(n, _outer(p, left.rows, right), _block_maker(left.rows, right))
    if not isinstance(left, Rows) or not isinstance(right, Free) or right.late:
        raise Refused("multiplies samples with samples")
    row, terms = 0, []
    for atom in left.atoms:
        if not is_zero(atom):
            terms.append((atom, Matrix(right.slot, row, 0)))
        row += atom.width
    width = n.value.shape[1]
    found: Rows = Rows((product(tuple(terms), width) if terms else Const(0.0, width),), tuple(n.value.shape))
    return p.pointwise("add", n, found, bias[0]) if bias else found


def _outer(p: Planner, left: Rows, right: Rows) -> list[list[int | None]]:
    return [[None if is_zero(x) or is_zero(y) else p.reduce(OuterSum(x, y)) for y in right.atoms] for x in left.atoms]


def _block_maker(left: Rows, right: Rows) -> Callable[..., Tensor]:
    heights, widths = [a.width for a in left.atoms], [a.width for a in right.atoms]

    def put_together(blocks: list[list[Tensor | None]]) -> Tensor:
        if len(blocks) == len(blocks[0]) == 1 and blocks[0][0] is not None:
            return blocks[0][0]
        like = next((b for row in blocks for b in row if b is not None), torch.zeros(()))
        rows = [
            torch.cat([like.new_zeros(h, w) if b is None else b for b, w in zip(row, widths)], dim=1)
            for row, h in zip(blocks, heights)
        ]
        return torch.cat(rows)

    return put_together


@_rule("sum", "mean")
def _sum(p: Planner, n: Node) -> Any:
    rows = rows_of(p, n.args[0])
    ndim = len(rows.shape)
    dims = (
        {d % ndim for d in (n.args[1] or range(ndim))}
        if len(n.args) > 1 and n.args[1] is not None
        else set(range(ndim))
    )
    inner = {d for d in range(1, ndim) if rows.shape[d] != 1}
    is_mean = n.op.overloadpacket.__name__ == "mean"
    if 0 not in dims:
        if not inner:
            return Rows(rows.atoms, tuple(n.value.shape))
        if not inner <= dims:
            raise Refused("sums over some of the inner dimensions")
        total = _row_total(rows)
        shape = (rows.shape[0], 1)
        scaled = combine("mul", [total, 1.0 / rows.width], shape) if is_mean else total
        return Rows(scaled.atoms, tuple(n.value.shape))
    if is_mean:
        raise Refused("averages over the samples of a batch")
    slots = [None if is_zero(a) else p.reduce(ColumnSum(a)) for a in rows.atoms]
    widths, shape = [a.width for a in rows.atoms], tuple(n.value.shape)
    full = tuple(1 if d == 0 else s for d, s in enumerate(rows.shape))
    rest = sorted(dims - {0})

    def put_together(blocks: list[list[Tensor | None]]) -> Tensor:
        like = next((b for b in blocks[0] if b is not None), torch.zeros(()))
        whole = torch.cat([like.new_zeros(w) if b is None else b for b, w in zip(blocks[0], widths)]).view(full)
        return (whole.sum(rest) if rest else whole).reshape(shape)

    return p.assemble(n, [slots], put_together)


@_rule("native_layer_norm")
def _layer_norm(p: Planner, n: Node) -> Rows:
    x, shape, weight, bias, epsilon = n.args
    rows = _normalised_rows(p, x, shape)
    column = (rows.shape[0], 1)
    mean = combine("mul", [_row_total(rows), 1.0 / rows.width], column)
    centred = combine("sub", [rows, mean], rows.shape)
    squares = _row_total(combine("mul", [centred, centred], rows.shape))
    variance = combine("add", [combine("mul", [squares, 1.0 / rows.width], column), float(epsilon)], column)
    scale = combine("rsqrt", [variance], column)
    if n.kwargs["__item__"] != 0:
        return Rows((mean if n.kwargs["__item__"] == 1 else scale).atoms, tuple(n.value.shape))
    result = combine("mul", [centred, scale], rows.shape)
    result = result if weight is None else p.pointwise("mul", n, result, weight)
    return result if bias is None else p.pointwise("add", n, result, bias)


@_rule("native_layer_norm_backward")
def _layer_norm_backward(p: Planner, n: Node) -> Any:
    grad, x, shape, mean, scale, weight = n.args[:6]
    rows, g = _normalised_rows(p, x, shape), rows_of(p, grad)
    column = (rows.shape[0], 1)
    scale_rows = rows_of(p, scale)
    normal = combine("mul", [combine("sub", [rows, rows_of(p, mean)], rows.shape), scale_rows], rows.shape)
    item = n.kwargs["__item__"]
    if item != 0:
        summed = g if item == 2 else combine("mul", [g, normal], rows.shape)
        slots = [p.reduce(ColumnSum(a)) for a in summed.atoms]
        return p.assemble(n, [list(slots)], lambda blocks: torch.cat(blocks[0]))
    weighted = g if weight is None else combine("mul", [g, p.operand(weight, len(rows.shape))], rows.shape)
    average = combine("mul", [_row_total(weighted), 1.0 / rows.width], column)
    along = combine("mul", [weighted, normal], rows.shape)
    share = combine("mul", [_row_total(along), 1.0 / rows.width], column)
    rest = combine("sub", [weighted, average], rows.shape)
    rest = combine("sub", [rest, combine("mul", [normal, share], rows.shape)], rows.shape)
    return combine("mul", [rest, scale_rows], rows.shape)


def _normalised_rows(p: Planner, x: Any, shape: Any) -> Rows:
    rows = rows_of(p, x)
    if len(rows.shape) != 2 or tuple(shape) != rows.shape[1:]:
        raise Refused("normalises over some of the inner dimensions")
    return rows


def _row_total(rows: Rows) -> Rows:
    return Rows((row_sum(rows.atoms),), (rows.shape[0], 1))


# Views.
