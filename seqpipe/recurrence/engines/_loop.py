"""The plain loop over time, for any cell and number of steps."""

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
    """Project the input of all steps at once, then take one step after the other."""

    name = "loop"

    def refuses(self, cell: Cell) -> str | None:
        """Accept any cell."""
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
    """Run a cell in the plain loop because an engine cannot run this batch, and record the reason."""
    _REASONS.last = reason
    return LoopEngine().run(cell, x if valid is None else valid.clear(x), valid, state)


def take_reason() -> str | None:
    """Return and clear the reason why this thread fell back to the plain loop, None if it did not."""
    reason = getattr(_REASONS, "last", None)
    _REASONS.last = None
    return reason


def hold(running: Tensor, new: State, old: State) -> State:
    """Return the new state for rows that are still running, else the old one."""

    def choose(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(running, a.movedim(0, -1), b.movedim(0, -1)).movedim(-1, 0)

    return map_state(choose, new, old)
