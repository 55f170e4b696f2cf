"""Carries the gradient of a state summed with the term that the previous step adds to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch

from seqpipe.recurrence.compiler.eager._graph import StepGraph, Value, values_in, values_in_order

__all__ = ["CarriedSum", "sum_in_carry"]

_ATEN = torch.ops.aten


@dataclass
class CarriedSum:
    """The gradient of a state that is carried with an addend.

    Attributes
    ----------
    addend : Value
        The term that the step adds to the gradient, known for all steps before the loop.
    so_far : Value
        An input of the loop: the addend of the previous step, in the memory of the sum.
    """

    addend: Value
    so_far: Value


def sum_in_carry(graph: StepGraph) -> list[CarriedSum | None]:
    """Let the backward loop add each state's gradient to the addend of the previous step, which saves a call per step.

    The value for the gradient of the new state then holds the sum. The graph is changed in place.
    """
    sums = [_sum_of(graph, k) for k in range(len(graph.states))]
    for k, found in enumerate(sums):
        if found is not None:
            _carry(graph, k, found)
    return sums


def _sum_of(graph: StepGraph, k: int) -> CarriedSum | None:
    carried, before = graph.state_grads[k], graph.grads_of_states[k]
    users = [v for v in values_in_order(graph.gradients) if carried in values_in((v.args, v.kwargs))]
    if before is None or before.level < 2 or before.op == "input" or carried in graph.gradients or len(users) != 1:
        return None
    [total] = users
    if total.name != "add" or total.kwargs or len(total.args) != 2 or not isinstance(total.args[1], Value):
        return None
    addend = total.args[total.args[0] is carried]
    if addend.level == 2 or addend.rows != (0, 1) or addend.shape != carried.shape or addend.dtype != carried.dtype:
        return None
    return CarriedSum(addend, Value("input", (), {}, carried.shape, carried.dtype, depends=carried.depends))


def _carry(graph: StepGraph, k: int, found: CarriedSum) -> None:
    carried = graph.state_grads[k]
    made: dict[Value, Value] = {}
    for value in values_in_order(graph.gradients):
        if value.name == "add" and carried in value.args:
            made[value] = carried
        else:
            made[value] = value.rebuilt(made)
    graph.map(lambda v: made.get(v, v))
    uses = Counter(
        [*graph.gradients, *(a for v in values_in_order(graph.gradients) for a in values_in((v.args, v.kwargs)))]
    )
    position = len(graph.parameters) + 1 + k
    before = graph.grads[position]
    assert before is not None
    graph.grads[position] = _added(found.so_far, before, uses)


def _added(total: Value, value: Value, uses: Counter[Value]) -> Value:
    """Return total + value, adding the products in the value's own sum one after the other."""
    apart = uses[value] == 1 and value.level == 2
    if apart and value.name == "mm":
        return value.like(_ATEN.addmm.default, total, *value.args)
    if apart and value.name in ("addmm", "addcmul") and value.args[0].shape == value.shape:
        rest = _added(total, value.args[0], uses)
        return value.like(value.op, rest, *value.args[1:], **value.kwargs)
    if apart and value.name == "mul" and all(isinstance(a, Value) and a.dtype == value.dtype for a in value.args):
        return value.like(_ATEN.addcmul.default, total, *value.args)
    return value.like(_ATEN.add.Tensor, total, value)
