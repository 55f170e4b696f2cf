"""Measured speeds of engines relative to torch's own kernel, from ``measured.json``.

The file is written by benchmarks/dispatch.py. For each kernel, mode, number of threads and engine it holds the relative
speed of the engine on a grid of batch, n_timesteps and hidden_size, in float32 on a CPU. Engines that were never slower
are omitted. It applies only to machines with the same processor and number of cores as the one measured; on others the
default order of engines applies.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import torch

from seqpipe.cells import Cell
from seqpipe.recurrence._machine import machine_kind
from seqpipe.recurrence.engines._sizes import Sizes

__all__ = ["slower_than_torch"]

#: Relative speed below which an engine counts as slower than torch's kernel: a smaller difference is within the noise
#: of the measurement, and on a busy machine torch's threads wait for each other at every step.
_MARGIN = 0.97


def slower_than_torch(cell: Cell, sizes: Sizes) -> frozenset[str]:
    """Return the names of the engines that were measured to be slower than torch's kernel near these sizes."""
    kernel = cell.torch_kernel()
    like = cell.first_tensor()
    if kernel is None or like is None or like.dtype != torch.float32 or like.device.type != "cpu":
        return frozenset()
    if _grid()["made_for"] != machine_kind():
        return frozenset()
    return _slower(kernel, cell.hidden_size, sizes)


@cache
def _grid() -> dict[str, Any]:
    text = resources.files("seqpipe.recurrence.engines").joinpath("measured.json").read_text("utf-8")
    return json.loads(text)


@lru_cache(maxsize=256)
def _slower(kernel: str, hidden_size: int, sizes: Sizes) -> frozenset[str]:
    grid = _grid()
    mode = "training" if sizes.training else "inference"
    engines = grid["speed"].get(kernel, {}).get(mode, {}).get(_threads(sizes), {})
    i = _nearest(grid["batch"], sizes.batch)
    j = _nearest(grid["n_timesteps"], sizes.n_timesteps)
    k = _nearest(grid["hidden_size"], hidden_size)
    # torch's kernel also computes the padding.
    return frozenset(name for name, speeds in engines.items() if speeds[i][j][k] < _MARGIN * sizes.valid)


def _threads(sizes: Sizes) -> str:
    """Return the key "torch's threads/engine's threads", where several count as 2."""
    return f"{min(sizes.torch_threads, 2)}/{min(sizes.threads, 2)}"


def _nearest(points: Sequence[int], size: int) -> int:
    """Return the index of the point nearest to the size on a logarithmic scale."""
    distances = [abs(math.log(max(size, 1) / point)) for point in points]
    return distances.index(min(distances))
