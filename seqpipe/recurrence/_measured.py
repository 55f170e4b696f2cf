"""Where torch's own kernel was measured to be faster than other engines: ``measured.json``, made by benchmarks/dispatch.py.

The file holds, for each kernel, mode, number of threads and engine, how fast the engine is relative to torch's kernel at
points of a grid of batch, n_timesteps and hidden_size, in float32 on a CPU. What is not in it was nowhere slower.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import torch

from seqpipe.cells import Cell
from seqpipe.recurrence._parts import cell_tensors, device_and_type
from seqpipe.recurrence._sizes import Sizes

__all__ = ["behind_torch"]

#: An engine must be that much slower than torch's kernel to come after it: a smaller difference is within the noise of
#: measuring, and on a busy machine torch's threads wait for each other at every step.
_MARGIN = 0.97


def behind_torch(cell: Cell, sizes: Sizes) -> set[str]:
    """Return the names of the engines that were slower than torch's kernel for this cell near these sizes."""
    kernel = cell.torch_kernel()
    if kernel is None:
        return set()
    device, dtype = device_and_type(cell_tensors(cell))
    if dtype != torch.float32 or device.type != "cpu":
        return set()
    return set(_behind(kernel, cell.hidden_size, sizes))


@cache
def _grid() -> dict[str, Any]:
    text = resources.files("seqpipe.recurrence").joinpath("measured.json").read_text("utf-8")
    return json.loads(text)


def _behind(kernel: str, hidden_size: int, sizes: Sizes) -> list[str]:
    grid = _grid()
    mode = "training" if sizes.training else "inference"
    engines = grid["speed"].get(kernel, {}).get(mode, {}).get(_threads(sizes), {})
    i = _nearest(grid["batch"], sizes.batch)
    j = _nearest(grid["n_timesteps"], sizes.n_timesteps)
    k = _nearest(grid["hidden_size"], hidden_size)
    # torch's kernel computes the padding too.
    return [name for name, speeds in engines.items() if speeds[i][j][k] < _MARGIN * sizes.valid]


def _threads(sizes: Sizes) -> str:
    """Return the number of torch's threads and of an engine's; several count as two."""
    return f"{min(sizes.torch_threads, 2)}/{min(sizes.threads, 2)}"


def _nearest(points: Sequence[int], size: int) -> int:
    """Return the index of the point whose ratio to the size is nearest to 1."""
    distances = [abs(math.log(max(size, 1) / point)) for point in points]
    return distances.index(min(distances))
