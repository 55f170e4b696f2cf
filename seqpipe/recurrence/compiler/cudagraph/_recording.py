"""Calls of torch on a GPU, recorded once and issued again by one call: a CUDA graph."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["CudaRecording", "Function", "Record", "Recording"]

_LOCK = threading.Lock()
#: What is recorded: it reads tensors that stay where they are.
Function = Callable[[], list[Tensor | None]]


class Recording(Protocol):
    """A function of no arguments that can be called again without Python.

    Attributes
    ----------
    results : list of Tensor or None
        What it gives; each replay overwrites it, in the same place.
    """

    results: list[Tensor | None]

    def replay(self) -> None:
        """Call the function again."""


#: Makes a recording on a device; those with the same pool, None for a new one, are replayed one after the other.
Record = Callable[[Function, torch.device, Any], Recording]


class CudaRecording(Recording):
    """A CUDA graph.

    Parameters
    ----------
    function : callable
    device : torch.device
    pool : object or None
        The ``pool`` of an earlier recording, to use its memory.
    """

    def __init__(self, function: Function, device: torch.device, pool: Any) -> None:
        self.pool = torch.cuda.graph_pool_handle() if pool is None else pool
        self._graph = torch.cuda.CUDAGraph()
        with _LOCK, torch.cuda.device(device):
            here, aside = torch.cuda.current_stream(), torch.cuda.Stream()
            aside.wait_stream(here)
            with torch.cuda.stream(aside):
                function()  # what libraries make at their first call cannot be made while they are recorded
            here.wait_stream(aside)
            # Other threads, such as one that brings batches, may allocate while this one records.
            with torch.cuda.graph(self._graph, pool=self.pool, stream=aside, capture_error_mode="thread_local"):
                self.results = function()

    def replay(self) -> None:
        """Issue all calls on the current stream."""
        self._graph.replay()
