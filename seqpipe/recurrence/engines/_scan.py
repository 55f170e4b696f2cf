"""Cells that are linear in their state: the coefficients of all steps in one call, then a scan over them."""

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
    """Run cells that declare a linear recurrence, after checking the declaration against their step."""

    def __init__(self) -> None:
        super().__init__(_Scan, "scan")


class _Scan(Engine):
    name = "scan"

    def refuses(self, cell: Cell) -> str | None:
        """Accept a cell whose class declares a linear recurrence, unless a subclass overrides its step."""
        if type(cell).linear_coefficients is Cell.linear_coefficients:
            return "the cell does not define linear_coefficients"
        if not declares(type(cell), "linear_coefficients", of=("step",)):
            return f"{type(cell).__name__} overrides the step that its linear_coefficients describe"
        if torch.is_autocast_enabled(next((p.device.type for p in cell.parameters()), "cpu")):
            return "torch.autocast changes types inside the step"
        return None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x; see `Engine.run`."""
        a, b = cell.linear_coefficients(cell.project(x))
        if valid is not None:  # a step in the padding leaves the state unchanged
            a, b = a.masked_fill(~valid.mask[:, :, None], 1), valid.clear(b)
        outputs = linear_recurrence(a, b, state)
        return outputs if valid is None else valid.clear(outputs), outputs[:, -1]
