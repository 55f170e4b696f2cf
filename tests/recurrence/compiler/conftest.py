"""Results of a run along time that any two ways of running can be compared by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

Run = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]


def _everything(run: Run, x: Tensor, states: tuple[Tensor, ...], weights: Sequence[Tensor]) -> list[Tensor]:
    """Return outputs, final states, and the gradients of a random sum over all of them."""
    inputs = [t for t in (x, *states, *weights) if t.requires_grad]
    results = run(x, states)
    generator = torch.Generator().manual_seed(1)
    loss = x.new_zeros(())
    for result in results:
        factors = torch.randn(result.shape, generator=generator, dtype=result.dtype)
        loss = loss + (result * factors.to(result.device)).sum()
    grads: Any = torch.autograd.grad(loss, inputs, allow_unused=True) if loss.requires_grad else [None] * len(inputs)
    return [r.detach() for r in results] + [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, grads)]


def _furthest(expected: Sequence[Tensor], found: Sequence[Tensor]) -> float:
    """Return the largest relative error of a tensor, as a whole; NaN where there is one."""
    assert [t.shape for t in expected] == [t.shape for t in found]
    errors = [0.0]
    for a, b in zip(expected, found):
        size, error = float(a.norm()), float((a - b).norm())
        errors.append(error / size if size else error)
    return max(errors, key=lambda e: float("inf") if e != e else e)


@pytest.fixture(scope="session")
def everything() -> Callable[..., list[Tensor]]:
    """What a run gives: see `_everything`."""
    return _everything


@pytest.fixture(scope="session")
def furthest() -> Callable[..., float]:
    """How far two such lists are apart: see `_furthest`."""
    return _furthest
