"""The engine that runs a cell's step in torch, without a C compiler and on any device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence.compiler._planned_engine import PlannedEngine, PlannedProgram
from seqpipe.recurrence.compiler.eager._eager_program import EagerProgram, run_eagerly
from seqpipe.recurrence.engines import compiling

__all__ = ["TorchEngine"]

#: Elements of the state per step above which arithmetic dominates call overhead on a CPU (measured).
_WIDEST_STEP = 49152


class TorchEngine(PlannedEngine):
    """Runs cells whose step treats samples independently.

    Parameters
    ----------
    min_steps : int, default=8
        Number of steps below which setting up the loops costs more than they save (measured).
    **settings
        Parameters of `PlannedEngine`.
    """

    name = "torch"
    made = "planned"

    def __init__(self, min_steps: int = 8, **settings: Any) -> None:
        super().__init__(**settings)
        self.min_steps = min_steps

    def unfit(self, device: torch.device, dtype: torch.dtype) -> str | None:
        """Accept float32 and float64 on any device."""
        return None if dtype in (torch.float32, torch.float64) else f"it supports float32 and float64, not {dtype}"

    def worthwhile(self, program: Any, x: Tensor) -> bool:
        """Return False for short sequences and, on a CPU, for wide steps: the plain loop is as fast."""
        return x.shape[1] >= self.min_steps and (x.device.type != "cpu" or len(x) * program.state_size <= _WIDEST_STEP)

    @compiling()
    def plan(self, cell: Cell, dtype: torch.dtype, **wanted: Any) -> PlannedProgram:
        """Plan the step as torch calls."""
        return EagerProgram(cell, dtype, **wanted)

    def call(
        self, program: Any, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the plan; see `PlannedEngine.call`."""
        return run_eagerly(program, x, lengths, states, tensors)
