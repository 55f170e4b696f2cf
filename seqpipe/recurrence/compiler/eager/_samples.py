"""Checks numerically that a graph treats samples independently, so that rows may be combined or left out."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.eager._graph import Size, StepGraph, Value, evaluate, values_in_order
from seqpipe.recurrence.compiler.trace import Unplannable

__all__ = ["check_rows"]

#: Some rows of the trial batch, unordered, and the others.
_SOME, _OTHERS = (5, 1, 8), (0, 2, 3, 4, 6, 7)


@torch.no_grad()
def check_rows(graph: StepGraph, parameters: list[Tensor]) -> None:
    """Compare every value of a random batch with the values of its two parts.

    A value with rows must have the same rows in both cases. A value without rows that depends on samples must be a sum
    over them: its value for the batch equals the sum over the parts. This holds for any operation.

    Raises
    ------
    Unplannable
        If an operation mixes samples; the message names the first.
    """
    order = values_in_order([*graph.forward_goals, *graph.gradients])
    n_rows = len(_SOME) + len(_OTHERS)
    given = _random_inputs(graph, parameters, n_rows)
    whole = dict(given)
    evaluate(order, whole, n_rows)
    parts = []
    for rows in (_SOME, _OTHERS):
        part = {value: _take(value, tensor, rows) for value, tensor in given.items()}
        evaluate(order, part, len(rows))
        parts.append(part)
    for value in order:
        if not _agrees(value, whole[value], *(part[value] for part in parts)):
            raise Unplannable(f"{value.op} mixes samples{value.line}")
    _check_goals(graph)


def _random_inputs(graph: StepGraph, parameters: list[Tensor], n_rows: int) -> dict[Value, Tensor]:
    generator = torch.Generator().manual_seed(0)

    def near(value: Value, start: Tensor | float) -> Tensor:
        shape = [n_rows if isinstance(s, Size) else s for s in value.shape]
        scale = 0.1 if isinstance(start, Tensor) else 1.0
        return start + scale * torch.randn(shape, generator=generator, dtype=value.dtype).to(device)

    device = parameters[0].device if parameters else torch.device("cpu")
    found = {v: near(v, p.detach()) if p.is_floating_point() else p for v, p in zip(graph.parameters, parameters)}
    inputs = (graph.x, graph.output_grad, *graph.states, *graph.state_grads)
    return found | {value: near(value, 0.0) for value in inputs}


def _take(value: Value, tensor: Tensor, rows: tuple[int, ...]) -> Tensor:
    if value.rows is None:
        return tensor
    dim, times = value.rows
    index = torch.tensor([r * times + i for r in rows for i in range(times)], device=tensor.device)
    return tensor.index_select(dim, index)


def _agrees(value: Value, whole: Tensor, some: Tensor, others: Tensor) -> bool:
    if value.is_free:
        return True
    if value.rows is None:
        pairs = [(whole, some + others)]
    else:
        pairs = [(_take(value, whole, _SOME), some), (_take(value, whole, _OTHERS), others)]
    if not (whole.dtype.is_floating_point or whole.dtype.is_complex):
        return value.rows is not None and all(torch.equal(a, b) for a, b in pairs)
    limit = 1e-8 if whole.dtype in (torch.float64, torch.complex128) else 1e-3
    size = max(float(whole.nan_to_num().abs().max()), 1.0) if whole.numel() else 1.0
    return all(torch.allclose(a, b, rtol=0, atol=limit * size, equal_nan=True) for a, b in pairs)


def _check_goals(graph: StepGraph) -> None:
    """Check that results have one row per sample, and gradients of parameters none."""
    n = len(graph.parameters)
    with_rows = [*graph.forward_goals, *(g for g in graph.grads[n:] if g is not None)]
    for value in with_rows:
        if value.rows != (0, 1):
            raise Unplannable(f"{value.op} does not return one row per sample{value.line}")
    for grad in graph.grads[:n]:
        if grad is not None and grad.rows is not None:
            raise Unplannable(f"{grad.op} returns a parameter's gradient with one row per sample{grad.line}")
