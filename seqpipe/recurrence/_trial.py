"""An engine beside the plain loop, on a small batch of random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._loop import LoopEngine
from seqpipe.recurrence._states import map_state, state_tensors
from seqpipe.recurrence._steps import ValidSteps

__all__ = ["Run", "draws_random_numbers", "find_fault", "said"]

#: What `Engine.run` is.
Run = Callable[[Cell, Tensor, ValidSteps | None, State], tuple[Tensor, State]]

_LENGTHS = (4, 1, 3, 0, 4)


def find_fault(run: Run, cell: Cell) -> str | None:
    """Say how an engine's results differ from the plain loop's in inference or training; None if they do not."""
    for training in (False, True):
        expected = _everything(LoopEngine().run, cell, training)
        try:
            found = _everything(run, cell, training)
        except Exception as error:  # whatever a broken engine raises
            return f"it fails ({said(error)})"
        if [(t.shape, t.dtype, t.device) for t in found] != [(t.shape, t.dtype, t.device) for t in expected]:
            return "its results have other shapes or types than the plain loop's"
        difference = max(_difference(a, b) for a, b in zip(expected, found))
        if not difference <= 3 * torch.finfo(expected[0].dtype).eps ** 0.5:
            return f"its results differ from the plain loop's by {difference:.1e}"
    return None


def draws_random_numbers(cell: Cell) -> bool:
    """Tell whether the plain loop draws random numbers for a cell."""
    device = _like(cell).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        before = _random_state(device)
        _everything(LoopEngine().run, cell, training=False)
        return not torch.equal(before, _random_state(device))


def said(error: Exception) -> str:
    """Return an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _like(cell: Cell) -> Tensor:
    return next(cell.parameters(), torch.empty(0))


def _everything(run: Run, cell: Cell, training: bool) -> list[Tensor]:
    """Return outputs and final states and, in training, all gradients of a weighted sum of them."""
    like = _like(cell)
    generator = torch.Generator().manual_seed(0)

    def random(tensor: Tensor) -> Tensor:
        return torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype).to(tensor.device)

    def moved(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():  # steps that are counted, and the like
            return tensor
        return (tensor.detach() + random(tensor) / 10).requires_grad_(training)

    valid = ValidSteps.of(torch.tensor(_LENGTHS), max(_LENGTHS), like.device)
    with torch.set_grad_enabled(training), torch.autocast(like.device.type, enabled=False):
        x = valid.clear(random(like.new_empty(len(_LENGTHS), max(_LENGTHS), cell.input_size))).requires_grad_(training)
        state = map_state(moved, cell.initial_state(len(_LENGTHS)))
        outputs, after = run(cell, x, valid, state)
        results = [valid.clear(outputs), *state_tensors(after)]
        inputs = [t for t in (x, *state_tensors(state), *cell.parameters()) if t.requires_grad]
        return [r.detach() for r in results] + (_gradients(results, inputs) if training else [])


def _gradients(results: list[Tensor], inputs: list[Tensor]) -> list[Tensor]:
    live = [r for r in results if r.requires_grad]
    if not live:
        return [torch.zeros_like(i) for i in inputs]
    weights = [torch.linspace(-1, 1, r.numel(), dtype=r.dtype, device=r.device).view(r.shape) for r in live]
    grads = torch.autograd.grad(live, inputs, weights, allow_unused=True)
    return [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, grads)]


def _difference(expected: Tensor, found: Tensor) -> float:
    if not expected.numel():
        return 0.0
    if not expected.is_floating_point():
        return 0.0 if torch.equal(expected, found) else math.inf
    difference = float((expected - found).abs().max()) / max(float(expected.abs().max()), 1e-6)
    return difference if difference == difference else math.inf  # the largest of several must not pass over NaN
