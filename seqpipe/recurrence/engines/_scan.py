"""Cells with a parallel form: a linear recurrence, whose coefficients are scanned in chunks, or a scan of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.contents import declares
from seqpipe.recurrence.engines._engine import Engine
from seqpipe.recurrence.engines._linear import linear_recurrence
from seqpipe.recurrence.engines._trust import CheckedEngine

__all__ = ["ScanEngine"]


class ScanEngine(CheckedEngine):
    """Run cells that define a parallel form, after checking it against their step."""

    def __init__(self) -> None:
        super().__init__(_Scan, "scan")


class _Scan(Engine):
    name = "scan"

    def refuses(self, cell: Cell) -> str | None:
        """Accept a cell whose class defines a parallel form, unless a subclass overrides what it describes."""
        kind = type(cell)
        if _defines(kind, "scan"):
            if not declares(kind, "scan", of=("step", "linear_coefficients", "linear_output")):
                return f"{kind.__name__} overrides the step that its scan describes"
        elif not _defines(kind, "linear_coefficients"):
            return "the cell does not define linear_coefficients"
        elif not declares(kind, "linear_coefficients", of=("step",)):
            return f"{kind.__name__} overrides the step that its linear_coefficients describe"
        if torch.is_autocast_enabled(next((p.device.type for p in cell.parameters()), "cpu")):
            return "torch.autocast changes types inside the step"
        return None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x; see `Engine.run`."""
        x = cell.project(x)
        if _defines(type(cell), "scan"):
            return cell.scan(x, state, None if valid is None else valid.mask)
        a, b = cell.linear_coefficients(x)
        if valid is not None:  # a step in the padding leaves the state unchanged
            a, b = valid.fill(a.expand_as(b), 1), valid.clear(b)
        states = linear_recurrence(a, b, state)
        return cell.linear_output(x, states), states[:, -1]


def _defines(kind: type[Cell], method: str) -> bool:
    return getattr(kind, method) is not getattr(Cell, method)
