"""Rules for operations that only move elements.

Such an operation is applied to labels of a value's elements to find out where it moves them, so one rule covers many
operations.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.program._decomposed_selection import (
    gather_computed,
    scatter_add_computed,
    scatter_computed,
)
from seqpipe.recurrence.compiler.program._planner import Planner, Rule, rows_of
from seqpipe.recurrence.compiler.program._registry import Registry
from seqpipe.recurrence.compiler.program._rows import Refused, Rows, arranged, combine, labels
from seqpipe.recurrence.compiler.trace import Node, map_nodes

__all__ = ["RULES"]

RULES: Registry[Rule] = Registry()
_rule = RULES.register

#: Maximum number of values added at one index.
_MAX_ADDED = 16


@_rule(
    "view",
    "_unsafe_view",
    "reshape",
    "unsqueeze",
    "squeeze",
    "detach",
    "alias",
    "contiguous",
    "lift_fresh",
    "clone",
    "_reshape_alias",
)
def _view(p: Planner, n: Node) -> Rows:
    """Change the shape but not the order of elements."""
    rows = rows_of(p, n.args[0])
    if n.value.dtype != n.args[0].value.dtype:
        raise Refused(f"reinterprets memory as {n.value.dtype}")
    return Rows(rows.atoms, tuple(n.value.shape), rows.outer)


@_rule(
    "t", "transpose", "permute", "select", "slice", "split", "split_with_sizes", "chunk", "unbind", "flip", "roll",
    "unfold", "diagonal", "movedim", "swapaxes", "as_strided", "unsafe_split", "unsafe_split_with_sizes",
    "unsafe_chunk",
)  # fmt: skip
def _moved(p: Planner, n: Node) -> Rows:
    rows = rows_of(p, n.args[0])
    if n.op.overloadpacket.__name__ == "as_strided" and not n.args[0].value.is_contiguous():
        raise Refused("depends on the memory layout")
    result = n.op(labels(rows, p.batch), *n.args[1:], **_keywords(n))
    return arranged(rows.atoms, _item(result, n), p.batch)


@_rule("expand", "repeat")
def _expand(p: Planner, n: Node) -> Rows:
    if not isinstance(p.values[id(n.args[0])], Rows):
        return p.add_rows(n)
    rows, shape = rows_of(p, n.args[0]), tuple(n.value.shape)
    if rows.width == 1 and rows.outer == 1 and shape[:1] == rows.shape[:1] != (1,):
        return combine("copy", [rows], shape, 1, math.prod(shape[1:]))
    return _moved(p, n)


@_rule("cat", "stack")
def _cat(p: Planner, n: Node) -> Rows:
    pieces = [rows_of(p, piece) for piece in n.args[0] if piece.value.numel()]
    atoms = [a for piece in pieces for a in piece.atoms]
    dim = (n.args[1] if len(n.args) > 1 else 0) % n.value.ndim
    first = pieces[0]
    if dim and all(r.outer == 1 and r.shape[0] == p.batch for r in pieces) and math.prod(first.shape[1:dim]) == 1:
        return Rows(tuple(atoms), tuple(n.value.shape))
    labelled, start = [], 0
    for piece in pieces:
        labelled.append(labels(piece, p.batch, start))
        start += piece.width
    return arranged(atoms, n.op(labelled, *n.args[1:]), p.batch)


@_rule("constant_pad_nd")
def _pad(p: Planner, n: Node) -> Rows:
    rows = rows_of(p, n.args[0])
    value = float(n.args[2]) if len(n.args) > 2 else 0.0
    labelled = n.op(labels(rows, p.batch), n.args[1], -1)
    return arranged(rows.atoms, labelled, p.batch, value)


@_rule("tril", "triu", "slice_backward", "select_backward", "diagonal_backward")
def _moved_among_zeros(p: Planner, n: Node) -> Rows:
    rows = rows_of(p, n.args[0])
    return arranged(rows.atoms, n.op(labels(rows, p.batch) + 1, *n.args[1:], **_keywords(n)) - 1, p.batch)


@_rule("slice_scatter", "select_scatter", "diagonal_scatter")
def _replace_part(p: Planner, n: Node) -> Rows:
    """Replace a part of a value by another value."""
    whole, part = rows_of(p, n.args[0]), rows_of(p, n.args[1])
    labelled = n.op(labels(whole, p.batch), labels(part, p.batch, whole.width), *n.args[2:], **_keywords(n))
    return arranged([*whole.atoms, *part.atoms], labelled, p.batch)


@_rule("copy")
def _copy(p: Planner, n: Node) -> Rows:
    """Replace a value by another one, broadcast to its shape."""
    whole, given = rows_of(p, n.args[0]), n.args[1]
    if isinstance(p.values[id(given)], Rows):
        rows = rows_of(p, given)
        return arranged(rows.atoms, labels(rows, p.batch).expand(whole.shape), p.batch)
    vector = p.vector(given, whole.shape, whole.outer)
    return combine("copy", [vector], whole.shape, whole.outer, whole.width)


@_rule("overlaid")
def _overlaid(p: Planner, n: Node) -> Rows:
    """Replace some elements of a value: the effect of a change in place of one view on another view."""
    whole, part, places = n.args
    old, new = rows_of(p, whole), rows_of(p, part)
    inside = labels(new, p.batch, old.width).reshape(-1)
    labelled = labels(old, p.batch)
    return arranged([*old.atoms, *new.atoms], torch.where(places >= 0, inside[places], labelled), p.batch)


@_rule("index_select", "index", "_unsafe_index", "gather")
def _indexed(p: Planner, n: Node) -> Any:
    """Select columns at indices that are known when the step is planned."""
    name = n.op.overloadpacket.__name__
    if name == "gather" and _is_found_index(n.args[2], n.args[0].value.shape[n.args[1]]):
        return p.decomposed(n, gather_computed)
    rows = rows_of(p, n.args[0])
    args = map_nodes(n.args[1:], p.constant_of)
    return arranged(rows.atoms, n.op(labels(rows, p.batch), *args, **_keywords(n)), p.batch)


@_rule("index_put", "_unsafe_index_put", "index_add", "scatter", "scatter_add")
def _put(p: Planner, n: Node) -> Any:
    """Store or add values at known indices of another value."""
    name = n.op.overloadpacket.__name__
    if (
        name in ("scatter", "scatter_add")
        and not n.kwargs
        and _is_found_index(n.args[2], n.args[0].value.shape[n.args[1]])
    ):
        return p.decomposed(n, scatter_computed if name == "scatter" else scatter_add_computed)
    base, (places, values, adds) = rows_of(p, n.args[0]), _targets(p, n, name)
    inserted = labels(values, p.batch, 0 if adds else base.width).expand(places.shape).reshape(-1)
    total, labelled = base, labels(base, p.batch)
    for chosen in _rounds(places):
        labelled = torch.full(base.shape, -1) if adds else labelled
        labelled.view(-1)[places.reshape(-1)[chosen]] = inserted[chosen]
        total = p.pointwise("add", n, total, arranged(values.atoms, labelled, p.batch)) if adds else total
    return total if adds else arranged([*base.atoms, *values.atoms], labelled, p.batch)


def _targets(p: Planner, n: Node, name: str) -> tuple[Tensor, Rows, bool]:
    """Return the flat indices to write to, the values to write, and whether to add them."""
    numbers = torch.arange(n.args[0].value.numel()).view(n.args[0].value.shape)
    if "index_put" in name:
        indices = map_nodes(n.args[1], p.constant_of)
        adds = len(n.args) > 3 and bool(n.args[3])
        return torch.ops.aten.index.Tensor(numbers, indices), rows_of(p, n.args[2]), adds
    _, dim, index, values = n.args[:4]
    if n.kwargs.get("alpha", 1) != 1 or n.kwargs.get("reduce") is not None:
        raise Refused("scales or reduces the values")
    if name == "index_add":
        return numbers.index_select(dim, p.constant_of(index)), rows_of(p, values), True
    return numbers.gather(dim, p.constant_of(index)), rows_of(p, values), name == "scatter_add"


def _is_found_index(index: Node, size: int) -> bool:
    """Return whether an index is the result of a search or sort of at most ``size`` elements."""
    while not isinstance(index.op, str) and index.op.overloadpacket.__name__ in (
        "view",
        "unsqueeze",
        "squeeze",
        "detach",
    ):
        index = index.args[0]
    if isinstance(index.op, str) or index.op.overloadpacket.__name__ not in ("max", "min", "sort", "argmax", "argmin"):
        return False
    dim = index.args[1] if len(index.args) > 1 else index.kwargs.get("dim", -1)
    return isinstance(dim, int) and index.args[0].value.shape[dim] <= size


def _rounds(places: Tensor) -> list[Tensor]:
    """Divide indices into parts without duplicates."""
    seen: dict[int, int] = {}
    rounds: list[list[int]] = []
    for i, place in enumerate(places.reshape(-1).tolist()):
        number = seen[place] = seen.get(place, -1) + 1
        if number == _MAX_ADDED:
            raise Refused(f"adds more than {_MAX_ADDED} values at one index")
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(i)
    return [torch.tensor(r) for r in rounds]


def _keywords(n: Node) -> dict[str, Any]:
    return {k: v for k, v in n.kwargs.items() if k not in ("__item__", "memory_format")}


def _item(result: Any, n: Node) -> Tensor:
    found: Tensor = result if "__item__" not in n.kwargs else result[n.kwargs["__item__"]]
    return found
