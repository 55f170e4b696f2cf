"""The engine that runs a cell's step as generated C."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence.compiler._planned_engine import PlannedEngine, PlannedProgram
from seqpipe.recurrence.compiler._state_numbers import run_on_real_states
from seqpipe.recurrence.compiler.c._c_program import CProgram
from seqpipe.recurrence.compiler.c._differentiable import run_compiled
from seqpipe.recurrence.compiler.c._toolchain import find_compiler
from seqpipe.recurrence.engines import compiling

__all__ = ["CompiledEngine"]


class CompiledEngine(PlannedEngine):
    """Runs cells on a CPU whose step can be planned; needs a C compiler."""

    name = "c"
    made = "compiled"

    def unfit(self, device: torch.device, dtype: torch.dtype) -> str | None:
        """Accept float32 and float64 on a CPU."""
        if device.type != "cpu" or dtype not in (torch.float32, torch.float64):
            return f"it supports float32 and float64 on a CPU, not {dtype} on {device.type}"
        return None

    @compiling()
    def plan(self, cell: Cell, dtype: torch.dtype, **wanted: Any) -> PlannedProgram:
        """Plan the step as C, which is compiled on its first call."""
        find_compiler()
        return CProgram(cell, dtype, **wanted)

    def call(
        self, program: Any, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the C program; see `PlannedEngine.call`."""
        return run_on_real_states(run_compiled, program, x, lengths, states, tensors)
