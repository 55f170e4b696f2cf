"""CUDA graphs: torch calls on a GPU, recorded once and replayed by a single call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["CudaRecording", "Function", "Record", "Recording"]

_LOCK = threading.Lock()
#: The function to record; it must read its inputs from fixed memory.
Function = Callable[[], list[Tensor | None]]


class Recording(Protocol):
    """A recorded function without arguments.

    Attributes
    ----------
    results : list of Tensor or None
        Its results; each replay overwrites them in place.
    """

    results: list[Tensor | None]

    def replay(self) -> None:
        """Run the recorded calls again."""


#: Creates a recording on a device; recordings that share a memory pool (None creates one) must not run concurrently.
Record = Callable[[Function, torch.device, Any], Recording]


class CudaRecording(Recording):
    """A CUDA graph.

    Parameters
    ----------
    function : callable
    device : torch.device
    pool : object or None
        The ``pool`` of an earlier recording, to share its memory.
    """

    def __init__(self, function: Function, device: torch.device, pool: Any) -> None:
        self.pool = torch.cuda.graph_pool_handle() if pool is None else pool
        self._graph = torch.cuda.CUDAGraph()
        with _LOCK, torch.cuda.device(device):
            here, aside = torch.cuda.current_stream(), torch.cuda.Stream()
            aside.wait_stream(here)
            with torch.cuda.stream(aside):
                function()  # warm-up: libraries allocate on their first call, which capture does not allow
            here.wait_stream(aside)
            # Other threads, such as a data loader, may allocate during the capture.
            with torch.cuda.graph(self._graph, pool=self.pool, stream=aside, capture_error_mode="thread_local"):
                self.results = function()

    def replay(self) -> None:
        """Replay the graph on the current stream."""
        self._graph.replay()
