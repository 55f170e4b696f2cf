"""The engine that runs the plan of the engine ``torch`` as a CUDA graph, so that a whole run is one call."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence.compiler._planned_engine import PlannedEngine, PlannedProgram
from seqpipe.recurrence.compiler.cudagraph._cuda_graph_program import CudaGraphProgram, run_recorded
from seqpipe.recurrence.compiler.cudagraph._recording import CudaRecording, Record
from seqpipe.recurrence.compiler.eager import TorchEngine
from seqpipe.recurrence.contents import copied
from seqpipe.recurrence.engines import compiling

__all__ = ["GraphEngine"]


class GraphEngine(PlannedEngine):
    """Runs cells on a GPU whose step treats samples independently.

    Parameters
    ----------
    record : Record
        Creates recordings.
    device_type : str, default="cuda"
        The device type that it records on.
    max_recordings : int, default=8
        Maximum number of cached recordings per cell, each with the memory of a whole run.
    """

    name = "graph"
    made = "planned"
    reads_padding = True

    def __init__(self, record: Record = CudaRecording, device_type: str = "cuda", max_recordings: int = 8) -> None:
        super().__init__()
        self._record, self._device_type, self._max_recordings = record, device_type, max_recordings

    def unfit(self, device: torch.device, dtype: torch.dtype) -> str | None:
        """Accept float32 and float64 on a GPU."""
        if dtype not in (torch.float32, torch.float64):
            return f"it supports float32 and float64, not {dtype}"
        if device.type != self._device_type:
            return f"a CUDA graph needs a GPU, and the cell is on {device.type}"
        return None

    @compiling()
    def plan(self, cell: Cell, dtype: torch.dtype, **wanted: Any) -> PlannedProgram:
        """Plan the step as torch calls, which are recorded once sizes repeat."""
        return CudaGraphProgram(self._record, cell, dtype, max_recordings=self._max_recordings, **wanted)

    def call(
        self, program: Any, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the plan; see `PlannedEngine.call`."""
        return run_recorded(program, x, lengths, states, tensors)

    def fault(self, program: Any, cell: Cell, training: bool, tried: Cell | None = None) -> str | None:
        """Check the plans with and without lengths, and the recording and replay of the former."""
        doubt = TorchEngine().fault(program.whole, cell, training)
        tried = tried or copied(cell)  # recordings are of one cell's weights
        for _ in range(3):
            doubt = doubt or super().fault(program, cell, training, tried)
        return doubt
