"""Graph rewrites that move work out of the loops: split products, fused sums and products, no redundant views."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import groupby
from typing import Any

import torch

from seqpipe.recurrence.compiler.eager._graph import StepGraph, Value, values_in, values_in_order

__all__ = ["columns_of", "rewrite", "spread_biases"]

_ATEN = torch.ops.aten
_SAME = {"detach", "alias", "lift_fresh", "clone", "contiguous"}

#: Takes a value, the same with rewritten arguments, and the number of uses of each value.
Rule = Callable[[Value, Value, Counter[Value]], Value]


def rewrite(graph: StepGraph) -> None:
    """Rewrite a graph in place; its results stay the same up to rounding."""
    _apply(graph, _without_copies)
    _apply(graph, _product_by_parts)
    _apply(graph, _sum_by_parts)
    _apply(graph, _joined_slices)
    cut = _products_cut(graph)
    _apply(graph, lambda old, new, uses: _part_of_product(new) if _first(old) in cut else new)
    added = _added_pieces(graph)
    _apply(graph, lambda old, new, uses: _with_sum(old, new, added))
    _apply(graph, _subtracted)
    _apply(graph, _fused)


def spread_biases(graph: StepGraph) -> None:
    """Add each product of the forward loop to rows that already hold its bias, which is faster."""
    path = set(values_in_order(graph.new_states))
    _apply(graph, lambda old, new, uses: _with_spread_bias(new) if old in path else new)


def _with_spread_bias(new: Value) -> Value:
    if new.name != "addmm" or new.kwargs or not new.level or not new.args[0].is_free or len(new.args[0].shape) != 1:
        return new
    bias, *factors = new.args
    rows = new.like(_ATEN.expand_copy.default, bias, list(new.shape))
    return _addmm(new, rows, *factors)


def _apply(graph: StepGraph, rule: Rule) -> None:
    goals = [*graph.forward_goals, *graph.gradients]
    order = values_in_order(goals)
    uses = Counter([*goals, *(a for v in order for a in values_in((v.args, v.kwargs)))])
    made: dict[Value, Value] = {}
    for value in order:
        made[value] = rule(value, value.rebuilt(made), uses)
    graph.map(made.__getitem__)


def _without_copies(old: Value, new: Value, uses: Counter[Value]) -> Value:
    """Remove copies, which nothing changes in place, and views that undo each other."""
    inner = _first(new)
    if inner is None:
        return new
    if new.name in _SAME:
        return inner
    if new.name in (
        "view",
        "_unsafe_view",
        "squeeze",
    ):  # strides may differ from the trace, and there may be a single row
        inner = _first(inner) if inner.name in ("reshape", "unsqueeze") else inner
        assert inner is not None
        return inner if new.shape == inner.shape else new.like(_ATEN.reshape.default, inner, list(new.shape))
    if new.name == inner.name == "t":
        return inner.args[0]
    if new.name == "select_backward" and new.shape[new.args[2]] == 1:
        return new.like(_ATEN.unsqueeze.default, inner, new.args[2])
    undone = inner.name in ("reshape", "unsqueeze") and inner.args[0].shape == new.shape
    return inner.args[0] if undone and new.name == "select" and inner.shape[new.args[1]] == 1 else new


def _product_by_parts(old: Value, new: Value, uses: Counter[Value]) -> Value:
    """Split [a b] times a matrix into two products, so that the part of x moves out of the loop."""
    if new.name not in ("mm", "addmm") or new.kwargs:
        return new
    *bias, left, matrix = new.args
    if left.name != "cat" or not _is_last(left, left.args[1]) or not matrix.is_free:
        return new
    parts, row = [], 0
    for _, found in groupby(left.args[0], key=lambda piece: piece.level):
        part = _concatenated(left, list(found))
        parts.append((part, _cut(matrix, 0, row, row + _width(part))))
        row += _width(part)
    if len(parts) == 1:
        return new
    parts.sort(key=lambda found: found[0].level)
    total = bias[0] if bias else None
    for part, rows in parts:
        total = new.like(_ATEN.mm.default, part, rows) if total is None else _addmm(new, total, part, rows)
    assert total is not None
    return total


def _sum_by_parts(old: Value, new: Value, uses: Counter[Value]) -> Value:
    """Write gᵀ[a b] as [gᵀa gᵀb], so that a and b need not be copied."""
    if new.name != "mm" or new.rows is not None or new.level == 0:
        return new
    left, right = new.args
    if right.name != "cat" or not _is_last(right, right.args[1]):
        return new
    height = left.shape[0]
    parts = [new.like(_ATEN.mm.default, left, piece, shape=(height, _width(piece))) for piece in right.args[0]]
    return new.like(_ATEN.cat.default, parts, 1)


def _joined_slices(old: Value, new: Value, uses: Counter[Value]) -> Value:
    """Concatenate the gradients of a value's slices, if each has its own columns."""
    if not _is_plain(new, "add"):
        return new
    pieces = _summands(new)
    if any(p.name != "slice_backward" or p.shape != new.shape or not _is_last(p, p.args[2]) for p in pieces):
        return new
    pieces.sort(key=lambda piece: piece.args[3])
    ends = [piece.args[3] + _width(piece.args[0]) for piece in pieces]
    starts = [piece.args[3] for piece in pieces]
    if [0, *ends] != [*starts, _width(new)] or any(piece.args[5] != 1 for piece in pieces):
        return new
    return new.like(_ATEN.cat.default, [piece.args[0] for piece in pieces], len(new.shape) - 1)


def _summands(value: Value) -> list[Value]:
    return [s for a in value.args for s in _summands(a)] if _is_plain(value, "add") else [value]


def _added_pieces(graph: StepGraph) -> dict[Value, Value]:
    """Return products whose pieces are all added to the same columns of a value of x, and that value."""
    users = _users_of(graph)
    goals = {*graph.forward_goals, *graph.gradients}
    found = {}
    for product, pieces in users.items():
        if product.name == "mm" and product.level and not goals & {product, *pieces} and all(map(columns_of, pieces)):
            whole = {_added_to(piece, users[piece]) for piece in pieces}
            if len(whole) == 1 and None not in whole:
                found[product] = whole.pop()
    return found  # type: ignore[return-value]


def _added_to(piece: Value, users: list[Value]) -> Value | None:
    """Return the value to whose same columns a piece is added, if the piece has no other use."""
    if len(users) != 1 or not _is_plain(users[0], "add"):
        return None
    other = users[0].args[users[0].args[0] is piece]
    whole = _first(other)
    if whole is None or whole.level or len(whole.shape) != 2 or other.shape != piece.shape:
        return None
    return whole if columns_of(other) == columns_of(piece) else None


def _with_sum(old: Value, new: Value, added: dict[Value, Value]) -> Value:
    """Add to the product what is added to each of its pieces."""
    if old in added:
        whole = added[old]
        return _addmm(new, whole if whole.shape == new.shape else _cut(whole, 1, 0, _width(new)), *new.args)
    if _is_plain(old, "add"):
        for k in (0, 1):
            product = _first(old.args[k])
            if product in added and added[product] is _first(old.args[1 - k]):
                return new.args[k]
    return new


def _products_cut(graph: StepGraph) -> set[Value]:
    """Return products of which the backward loop needs only some columns, such as the gradient of [x h]."""
    goals = [*graph.forward_goals, *graph.gradients]
    users = _users_of(graph)
    path = set(values_in_order([g for g in graph.grads_of_states if g is not None]))
    return {
        product
        for product, found in users.items()
        if product.name == "mm" and product.level == 2 and product not in goals and product.args[1].is_free
        and all(columns_of(user) for user in found)
        and sum(end - start for start, end in (columns_of(u) for u in found if u in path)) < _width(product)
    }  # fmt: skip


def _users_of(graph: StepGraph) -> dict[Value, list[Value]]:
    users: dict[Value, list[Value]] = defaultdict(list)
    for value in values_in_order([*graph.forward_goals, *graph.gradients]):
        for argument in values_in((value.args, value.kwargs)):
            users[argument].append(value)
    return users


def _part_of_product(value: Value) -> Value:
    left, matrix = value.args[0].args
    return value.like(_ATEN.mm.default, left, _cut(matrix, 1, *columns_of(value)))


def columns_of(value: Value) -> Any:
    """Return the first and last column of a value that slices columns of another; else ()."""
    if value.name == "slice" and len(value.args) == 4 and _is_last(value, value.args[1]):
        return value.args[2], value.args[2] + _width(value)
    if value.name in ("split", "split_with_sizes") and _is_last(value, (*value.args, 0)[2]):
        assert value.item is not None
        sizes = value.args[1]
        start = value.item * sizes if isinstance(sizes, int) else sum(sizes[: value.item])
        return start, start + _width(value)
    return ()


def _subtracted(old: Value, new: Value, uses: Counter[Value]) -> Value:
    """Write −a + b as b − a."""
    if not _is_plain(new, "add"):
        return new
    for k in (0, 1):
        if new.args[k].name == "neg" and uses[old.args[k]] == 1:
            return new.like(_ATEN.sub.Tensor, new.args[1 - k], *new.args[k].args)
    return new


def _fused(old: Value, new: Value, uses: Counter[Value]) -> Value:
    """Fuse a sum and a product that has no other use into one operation."""
    if _is_plain(new, "sub"):
        return _with_product(old, new, 1, uses, value=-1)
    if not _is_plain(new, "add"):
        return new
    if all(uses[a] == 1 for a in old.args):
        mixture = _mixture(new)
        if mixture is not None:
            return mixture
    for k in (1, 0):
        found = _with_product(old, new, k, uses)
        if found is not new:
            return found
    return new


def _with_product(old: Value, new: Value, k: int, uses: Counter[Value], **kwargs: Any) -> Value:
    rest, product = new.args[1 - k], new.args[k]
    if uses[old.args[k]] != 1 or product.level != new.level or product.shape != new.shape or product.kwargs:
        return new
    if product.name == "mul" and _are_tensors(product) and rest.dtype == product.dtype:
        return new.like(_ATEN.addcmul.default, rest, *product.args, **kwargs)
    if kwargs:
        return new
    if product.name == "mm":
        return _addmm(new, rest, *product.args)
    if product.name == "addmm" and rest.level < new.level and product.args[0].is_free:
        bias, left, right = product.args
        shape = torch.broadcast_shapes(rest.shape, bias.shape) if rest.is_free else new.shape
        return _addmm(new, new.like(_ATEN.add.Tensor, rest, bias, shape=shape), left, right)
    return new


def _mixture(new: Value) -> Value | None:
    """Return (1 − w) a + w b as ``torch.lerp``, or None for other sums."""
    if not all(a.name == "mul" and _are_tensors(a) and a.shape == new.shape for a in new.args):
        return None
    for first, second in (new.args, new.args[::-1]):
        for rest, a in (first.args, first.args[::-1]):
            if rest.name == "rsub" and rest.args[1:] == (1,) and not rest.kwargs and rest.args[0] in second.args:
                weight = rest.args[0]
                b = second.args[1] if second.args[0] is weight else second.args[0]
                if a.shape == b.shape == weight.shape == new.shape:
                    return new.like(_ATEN.lerp.Tensor, a, b, weight)
    return None


def _addmm(like: Value, bias: Value, left: Value, right: Value) -> Value:
    return like.like(_ATEN.addmm.default, bias, left, right)


def _first(value: Value) -> Value | None:
    return value.args[0] if value.args and isinstance(value.args[0], Value) else None


def _concatenated(like: Value, pieces: list[Value]) -> Value:
    if len(pieces) == 1:
        return pieces[0]
    return like.like(_ATEN.cat.default, pieces, 1, shape=(like.shape[0], sum(_width(p) for p in pieces)))


def _cut(matrix: Value, dim: int, start: int, end: int) -> Value:
    shape = tuple(end - start if d == dim else s for d, s in enumerate(matrix.shape))
    return matrix.like(_ATEN.slice.Tensor, matrix, dim, start, end, shape=shape)


def _is_plain(value: Value, name: str) -> bool:
    return value.name == name and not value.kwargs and len(value.args) == 2 and _are_tensors(value)


def _are_tensors(value: Value) -> bool:
    return all(isinstance(a, Value) and a.dtype == value.dtype for a in value.args)


def _is_last(value: Value, dim: int) -> bool:
    return dim % len(value.shape) == len(value.shape) - 1 and value.rows is not None and value.rows[0] == 0


def _width(value: Value) -> int:
    width = value.shape[-1]
    assert isinstance(width, int)
    return width
