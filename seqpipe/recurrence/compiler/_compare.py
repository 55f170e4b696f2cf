"""A planned step beside the plain loop, on a small batch of random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence._loop import LoopEngine
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence._steps import ValidSteps

__all__ = ["difference_from_loop"]

#: Runs over x with lengths, states before, and parameters and buffers; returns outputs and final states.
PlannedRun = Callable[
    [Tensor, Tensor | None, tuple[Tensor, ...], tuple[Tensor, ...]], tuple[Tensor, tuple[Tensor, ...]]
]
_LENGTHS = (4, 1, 3, 0, 4)


def difference_from_loop(run: PlannedRun, cell: Cell, dtype: torch.dtype, *, input_grad: bool, training: bool) -> float:
    """Return the largest relative difference over outputs, final states and, in training, all gradients."""
    generator = torch.Generator().manual_seed(0)

    def random(like: Tensor, *shape: int) -> Tensor:
        return torch.randn(shape or like.shape, generator=generator, dtype=dtype).to(like.device)

    with torch.set_grad_enabled(training), torch.random.fork_rng(devices=[]):
        initial = cell.initial_state(len(_LENGTHS))
        like = state_tensors(initial)[0]
        lengths = torch.tensor(_LENGTHS, device=like.device)
        valid = ValidSteps.of(lengths, max(_LENGTHS), like.device)
        x = random(like, len(_LENGTHS), max(_LENGTHS), cell.input_size)
        x = valid.clear(x).requires_grad_(training)
        states = tuple((s.detach() + random(s) / 10).requires_grad_(training) for s in state_tensors(initial))
        tensors = (*cell.parameters(), *cell.buffers())
        inputs = [t for t in (x if input_grad else None, *states, *tensors) if t is not None and t.requires_grad]

        def loop() -> tuple[Tensor, ...]:
            outputs, after = LoopEngine().run(cell, x, valid, states if isinstance(initial, tuple) else states[0])
            return valid.clear(outputs), *state_tensors(after)

        def planned() -> tuple[Tensor, ...]:
            outputs, finals = run(x, lengths, states, tensors)
            return outputs, *finals

        expected = _everything(loop, inputs, training)
        found = _everything(planned, inputs, training)
    return max(_difference(a, b) for a, b in zip(expected, found))


def _everything(run: Callable[[], tuple[Tensor, ...]], inputs: list[Tensor], training: bool) -> list[Tensor]:
    results = run()
    grads: list[Any] = []
    live = [r for r in results if r.requires_grad]
    if training and live:
        weights = [torch.linspace(-1, 1, r.numel(), dtype=r.dtype, device=r.device).view(r.shape) for r in live]
        grads = list(torch.autograd.grad(live, inputs, weights, allow_unused=True))
    return [r.detach() for r in results] + [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, grads)]


def _difference(expected: Tensor, found: Tensor) -> float:
    if not expected.numel():
        return 0.0
    difference = float((expected - found).abs().max()) / max(float(expected.abs().max()), 1e-6)
    return difference if difference == difference else math.inf  # the largest of several must not pass over NaN
