"""Sides of a comparison: the same weights run in several ways, for one training step or one pass without gradients."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from cells import Problem
from torch import Tensor, nn

from seqpipe import Cell, Recurrent

__all__ = [
    "MODES", "Disagreement", "Side", "calls", "check_agreement", "engines_of", "forced", "loop_side", "recurrent_side",
    "step_flops", "torch_side",
]  # fmt: skip

MODES = ("training", "inference")
#: Maximum relative error, in norm, between two sides.
_TOLERANCE = 1e-4
#: Batch size and steps for asking a forced engine; whether it supports a cell does not depend on them.
_SOME_SIZES = (32, 100)


class Disagreement(RuntimeError):
    """The sides of a comparison give different results, so their times cannot be compared."""


@dataclass(frozen=True)
class Side:
    """A function that maps x to outputs, with the module of its weights.

    Both are batch first, (batch, n_timesteps, …), or time first, whichever layout is faster for the side.
    """

    module: nn.Module
    run: Callable[[Tensor], Tensor]
    time_first: bool


@contextmanager
def forced(engine: str) -> Iterator[None]:
    """Run every cell with this engine; "auto" leaves the choice to seqpipe."""
    before = os.environ.get("SEQPIPE_ENGINE")
    os.environ["SEQPIPE_ENGINE"] = engine
    try:
        yield
    finally:
        if before is None:
            del os.environ["SEQPIPE_ENGINE"]
        else:
            os.environ["SEQPIPE_ENGINE"] = before


def recurrent_side(recurrent: Recurrent, engine: str = "auto") -> Side:
    """Return the side of seqpipe."""

    def run(x: Tensor) -> Tensor:
        with forced(engine):
            outputs: Tensor = recurrent(x)[0]
        return outputs

    return Side(recurrent, run, time_first=False)


def engines_of(recurrent: Recurrent, engine: str = "auto") -> str:
    """Return the names of the engines that last ran the layers or, for a forced engine, that would run them."""
    sizes = None if engine == "auto" else _SOME_SIZES
    with forced(engine):
        return ", ".join(sorted({choice.engine for choice in recurrent.explain(sizes=sizes)}))


def torch_side(module: nn.RNNBase) -> Side:
    """Return the side of torch's own module."""
    return Side(module, lambda x: module(x)[0], time_first=True)


def loop_side(recurrent: Recurrent) -> Side:
    """Return the side of a hand-written loop over time, for a stack of cells."""

    def run(x: Tensor) -> Tensor:
        for cell in recurrent.cells:
            assert isinstance(cell, Cell)
            x = _loop(cell, x)
        return x

    return Side(recurrent, run, time_first=True)


def _loop(cell: Cell, x: Tensor) -> Tensor:
    state, outputs = cell.initial_state(x.shape[1]), []
    for x_t in cell.project(x).unbind(0):
        output, state = cell.step(x_t, state)
        outputs.append(output)
    return torch.stack(outputs)


def calls(side: Side, mode: str, x: Tensor, w: Tensor) -> Callable[[], Tensor]:
    """Return the function to time: one training step with gradient w of the outputs, or one pass without gradients.

    Parameters
    ----------
    side : Side
        The side.
    mode : {"training", "inference"}
        The mode.
    x, w : tensors of shape (batch, n_timesteps, …)
        Inputs, and the gradient of the loss by the outputs.
    """
    if side.time_first:
        x, w = x.transpose(0, 1).contiguous(), w.transpose(0, 1).contiguous()

    def train() -> Tensor:
        side.module.zero_grad(set_to_none=True)
        outputs = side.run(x)
        outputs.backward(w)
        return outputs

    def infer() -> Tensor:
        with torch.no_grad():
            return side.run(x)

    return train if mode == "training" else infer


def check_agreement(ours: Side, theirs: Side, x: Tensor, w: Tensor, exact: Callable[[], Side] | None = None) -> None:
    """Check that both sides give the same outputs and gradients.

    Over a thousand steps the input of a ReLU may come so close to zero that rounding decides its sign: either of two
    gradients in float32 may then be inaccurate. If they differ, ours must be as close as theirs to the result in float64.

    Parameters
    ----------
    ours, theirs : Side
        The sides to compare.
    x, w : tensors of shape (batch, n_timesteps, …)
        Inputs, and the gradient of the loss by the outputs.
    exact : callable or None
        Returns the side in float64, if there is one.

    Raises
    ------
    Disagreement
        If they differ by more than 1e-4 of the norm, or one of them fails.
    """
    try:
        results = [_outputs_and_gradient(side, x, w) for side in (ours, theirs)]
    except Exception as error:  # a failing engine must not stop the measurement of the others
        raise Disagreement(f"a side fails: {type(error).__name__}: {error}") from error
    errors = list(map(_distance, *results))
    if exact is not None and not max(errors) <= _TOLERANCE:
        truth = _outputs_and_gradient(exact(), x.double(), w.double())
        allowed = [max(_TOLERANCE, _distance(b, t)) for b, t in zip(results[1], truth, strict=True)]
        errors = list(map(_distance, results[0], truth))
    else:
        allowed = [_TOLERANCE] * len(errors)
    for what, error, limit in zip(("outputs", "gradients"), errors, allowed, strict=True):
        if not error <= limit:
            raise Disagreement(f"{what} differ by {error:.1e} of their norm")


def _distance(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


def _outputs_and_gradient(side: Side, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    outputs = calls(side, "training", x, w)().detach()
    gradients = [p.grad.flatten() for p in side.module.parameters() if p.grad is not None]
    return outputs.transpose(0, 1) if side.time_first else outputs, torch.cat(gradients)


def step_flops(module: nn.Module, problem: Problem, mode: str) -> float:
    """Return the arithmetic of products with weights: 2 operations per weight, row and step, times 3 in training."""
    weights = sum(p.numel() for p in module.parameters() if p.ndim == 2)
    return 2.0 * weights * problem.batch * problem.steps * (3 if mode == "training" else 1)
