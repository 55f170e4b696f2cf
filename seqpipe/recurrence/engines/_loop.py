"""The plain loop over time, for any cell: a number of steps that is known when it runs."""

from __future__ import annotations

import threading

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._check import check_results
from seqpipe.recurrence._states import map_state
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.engines._engine import Engine

__all__ = ["LoopEngine", "fall_back", "hold", "take_reason"]

_REASONS = threading.local()


class LoopEngine(Engine):
    """Projects the input of all steps at once, then takes one step after the other."""

    name = "loop"

    def refuses(self, cell: Cell) -> str | None:
        """Take any cell."""
        return None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x; see `Engine.run`."""
        outputs = []
        for t, x_t in enumerate(cell.project(x).unbind(1)):
            result = cell.step(x_t, state)
            check_results(cell, result, state, len(x))
            output, new = result
            state = new if valid is None or t < valid.shortest else hold(valid.mask[:, t], new, state)
            outputs.append(output)
        stacked = torch.stack(outputs, dim=1)
        return stacked if valid is None else valid.clear(stacked), state


def fall_back(cell: Cell, x: Tensor, valid: ValidSteps | None, state: State, reason: str) -> tuple[Tensor, State]:
    """Run a cell in the plain loop for an engine that does not take this batch, and remember why."""
    _REASONS.last = reason
    return LoopEngine().run(cell, x if valid is None else valid.clear(x), valid, state)


def take_reason() -> str | None:
    """Return why this thread fell back on the plain loop since it was last asked, if it did."""
    reason = getattr(_REASONS, "last", None)
    _REASONS.last = None
    return reason


def hold(running: Tensor, new: State, old: State) -> State:
    """Return the new state where a row is still running, else the old one."""

    def choose(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(running, a.movedim(0, -1), b.movedim(0, -1)).movedim(-1, 0)

    return map_state(choose, new, old)
