"""Rules for operations that only rearrange columns."""

from __future__ import annotations

import math
from typing import Any

from seqpipe.recurrence.compiler._atoms import (
    Atom,
    Const,
)
from seqpipe.recurrence.compiler._planner import Planner, RuleBook, rows_of
from seqpipe.recurrence.compiler._rows import Refused, Rows, Turned, combine, take
from seqpipe.recurrence.compiler._trace import Node

__all__ = ["RULES"]

RULES = RuleBook()
_rule = RULES.of


@_rule("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "detach", "alias", "contiguous", "lift_fresh")
def _view(p: Planner, n: Node) -> Any:
    if isinstance(p.values[id(n.args[0])], Turned) and n.op.overloadpacket.__name__ in ("detach", "alias"):
        return p.values[id(n.args[0])]
    rows = rows_of(p, n.args[0])
    shape = tuple(n.value.shape)
    if shape[:1] != rows.shape[:1]:
        raise Refused("moves the rows of the batch")
    return Rows(rows.atoms, shape)


@_rule("t", "transpose", "permute")
def _transpose(p: Planner, n: Node) -> Any:
    value = p.values[id(n.args[0])]
    if isinstance(value, Turned) and len(value.rows.shape) == 2:
        return value.rows
    if isinstance(value, Rows) and len(value.shape) == 2 and tuple(n.value.shape) == value.shape[::-1]:
        return Turned(value)
    raise Refused("moves the rows of the batch")


@_rule("expand")
def _expand(p: Planner, n: Node) -> Rows:
    rows, shape = rows_of(p, n.args[0]), tuple(n.value.shape)
    if shape[:1] != rows.shape[:1]:
        raise Refused("moves the rows of the batch")
    if rows.width == math.prod(shape[1:]):
        return Rows(rows.atoms, shape)
    if rows.width != 1:
        raise Refused("broadcasts inner dimensions")
    return combine("copy", [rows], shape)


def _block(rows: Rows, dim: int) -> int:
    """Return how many columns one index of a dimension has, where all dimensions before it are single."""
    if dim == 0 or any(s != 1 for s in rows.shape[1:dim]):
        raise Refused("takes samples apart" if dim == 0 else "cuts an inner dimension")
    return math.prod(rows.shape[dim + 1 :])


@_rule("select")
def _select(p: Planner, n: Node) -> Rows:
    rows, dim = rows_of(p, n.args[0]), n.args[1] % len(n.args[0].value.shape)
    block = _block(rows, dim)
    index = n.args[2] % rows.shape[dim]
    return Rows(take(rows, index * block, block), tuple(n.value.shape))


@_rule("slice")
def _slice(p: Planner, n: Node) -> Rows:
    rows = rows_of(p, n.args[0])
    given: list[Any] = [*n.args[1:], *(0, None, None, 1)[len(n.args) - 1 :]]
    dim = given[0] % len(rows.shape)
    start, end, step = slice(*given[1:]).indices(rows.shape[dim])
    if (start, end, step) == (0, rows.shape[dim], 1):
        return rows
    if step != 1:
        raise Refused("takes every other column")
    block = _block(rows, dim)
    return Rows(take(rows, start * block, (end - start) * block), tuple(n.value.shape))


@_rule("split", "split_with_sizes", "chunk", "unbind")
def _split(p: Planner, n: Node) -> Rows:
    rows, name = rows_of(p, n.args[0]), n.op.overloadpacket.__name__
    item = n.kwargs["__item__"]
    if name == "unbind":
        dim = (n.args[1] if len(n.args) > 1 else 0) % len(rows.shape)
        block = _block(rows, dim)
        return Rows(take(rows, item * block, block), tuple(n.value.shape))
    dim = (n.args[2] if len(n.args) > 2 else 0) % len(rows.shape)
    block = _block(rows, dim)
    sizes = n.args[1] if name == "split_with_sizes" else None
    start = sum(sizes[:item]) if sizes is not None else item * n.args[1]
    return Rows(take(rows, start * block, n.value.shape[dim] * block), tuple(n.value.shape))


@_rule("cat")
def _cat(p: Planner, n: Node) -> Rows:
    pieces = n.args[0]
    dim = (n.args[1] if len(n.args) > 1 else 0) % n.value.ndim
    atoms: list[Atom] = []
    for piece in pieces:
        rows = p._rows(piece)
        _block(rows, dim) if len(rows.shape) > 1 else None
        atoms += rows.atoms
    return Rows(tuple(atoms), tuple(n.value.shape))


@_rule("stack")
def _stack(p: Planner, n: Node) -> Rows:
    dim = (n.args[1] if len(n.args) > 1 else 0) % n.value.ndim
    if dim == 0:
        raise Refused("moves the rows of the batch")
    atoms = [a for piece in n.args[0] for a in rows_of(p, piece).atoms]
    if dim != 1 and any(s != 1 for s in n.args[0][0].value.shape[1:dim]):
        raise Refused("interleaves columns")
    return Rows(tuple(atoms), tuple(n.value.shape))


@_rule("slice_backward", "select_backward")
def _slice_backward(p: Planner, n: Node) -> Rows:
    grad, shape = rows_of(p, n.args[0]), tuple(n.value.shape)
    whole = Rows((Const(0.0, math.prod(shape[1:])),), shape)
    dim = n.args[2] % len(shape)
    if n.op.overloadpacket.__name__ == "select_backward":
        start, end = n.args[3] % shape[dim], n.args[3] % shape[dim] + 1
    else:
        start, end, step = slice(n.args[3], n.args[4], n.args[5]).indices(shape[dim])
        if step != 1:
            raise Refused("takes every other column")
    if (start, end) == (0, shape[dim]):
        return Rows(grad.atoms, shape)
    block = _block(whole, dim)
    before, after = start * block, (shape[dim] - end) * block
    padding = [(Const(0.0, w),) if w else () for w in (before, after)]
    return Rows((*padding[0], *grad.atoms, *padding[1]), shape)
