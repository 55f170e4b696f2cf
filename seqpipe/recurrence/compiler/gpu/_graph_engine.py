"""The engine that runs the plan for torch as a CUDA graph, so that a whole run costs one call."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence._clock import compiling
from seqpipe.recurrence._copies import copied
from seqpipe.recurrence.compiler._planned import PlannedEngine, Program
from seqpipe.recurrence.compiler._torch_engine import TorchEngine
from seqpipe.recurrence.compiler.gpu._graph_program import GraphProgram, run_program
from seqpipe.recurrence.compiler.gpu._recording import CudaRecording, Record

__all__ = ["GraphEngine"]


class GraphEngine(PlannedEngine):
    """Takes a cell on a GPU whose step treats each sample by itself.

    Parameters
    ----------
    record : Record
        Makes recordings.
    device_type : str, default="cuda"
        Where it does.
    """

    name = "graph"
    made = "planned"
    reads_padding = True

    def __init__(self, record: Record = CudaRecording, device_type: str = "cuda") -> None:
        super().__init__()
        self._record, self._device_type = record, device_type

    def unfit(self, device: torch.device, dtype: torch.dtype) -> str | None:
        """Take float32 and float64 on a GPU."""
        if dtype not in (torch.float32, torch.float64):
            return f"it plans for float32 and float64, not {dtype}"
        if device.type != self._device_type:
            return f"a CUDA graph needs a GPU, and the cell is on {device.type}"
        return None

    @compiling()
    def plan(self, cell: Cell, dtype: torch.dtype, **wanted: Any) -> Program:
        """Plan the step as calls of torch; they are recorded when sizes come again."""
        return GraphProgram(self._record, cell, dtype, **wanted)

    def call(
        self, program: Any, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the plan; see `PlannedEngine.call`."""
        return run_program(program, x, lengths, states, tensors)

    def fault(self, program: Any, cell: Cell, training: bool, tried: Cell | None = None) -> str | None:
        """Try both plans, with lengths and without, and of the first its recording and a replay."""
        doubt = TorchEngine().fault(program.whole, cell, training)
        tried = tried or copied(cell)  # recordings are of one cell's weights
        for _ in range(3):
            doubt = doubt or super().fault(program, cell, training, tried)
        return doubt
