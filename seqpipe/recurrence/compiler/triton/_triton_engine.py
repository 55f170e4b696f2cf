"""The engine that runs a cell's step as generated Triton kernels, on a GPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence.compiler._planned_engine import PlannedEngine, PlannedProgram
from seqpipe.recurrence.compiler._state_numbers import run_on_real_states
from seqpipe.recurrence.compiler.triton._loading import has_triton, is_interpreted
from seqpipe.recurrence.compiler.triton._triton_program import TritonProgram
from seqpipe.recurrence.compiler.triton._triton_run import run_kernels
from seqpipe.recurrence.engines import compiling

__all__ = ["TritonEngine"]


class TritonEngine(PlannedEngine):
    """Runs cells on a GPU whose step can be planned and fits one multiprocessor."""

    name = "triton"
    made = "compiled"
    reads_padding = True

    def unfit(self, device: torch.device, dtype: torch.dtype) -> str | None:
        """Accept float32 and float64 on a GPU or, in Triton's interpreter, on a CPU."""
        if dtype not in (torch.float32, torch.float64):
            return f"it supports float32 and float64, not {dtype}"
        if device.type != "cuda" and not (device.type == "cpu" and is_interpreted()):
            return f"it needs a GPU, and the cell is on {device.type}"
        return None if has_triton() else "Triton is not installed: pip install triton"

    @compiling()
    def plan(self, cell: Cell, dtype: torch.dtype, **wanted: Any) -> PlannedProgram:
        """Plan the step as kernels, which are compiled on their first call."""
        return TritonProgram(cell, dtype, **wanted)

    def call(
        self, program: Any, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the kernels; see `PlannedEngine.call`."""
        return run_on_real_states(run_kernels, program, x, lengths, states, tensors)
