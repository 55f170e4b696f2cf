"""Where torch's own kernel was measured to be faster than other engines: ``measured.json``.

benchmarks/dispatch.py makes it. The file holds, for each kernel, mode, number of threads and engine, how fast the
engine is relative to torch's kernel at points of a grid of batch, n_timesteps and hidden_size, in float32 on a CPU.
What is not in it was nowhere slower. It speaks of machines with the same processor and as many cores as the
one that it was measured on; on others the engines' order decides.
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

__all__ = ["behind_torch"]

#: An engine must be that much slower than torch's kernel to come after it: a smaller difference is within the noise of
#: measuring, and on a busy machine torch's threads wait for each other at every step.
_MARGIN = 0.97


def behind_torch(cell: Cell, sizes: Sizes) -> frozenset[str]:
    """Return the names of the engines that were slower than torch's kernel for this cell near these sizes."""
    kernel = cell.torch_kernel()
    like = cell.first_tensor()
    if kernel is None or like is None or like.dtype != torch.float32 or like.device.type != "cpu":
        return frozenset()
    if _grid()["made_for"] != machine_kind():
        return frozenset()
    return _behind(kernel, cell.hidden_size, sizes)


@cache
def _grid() -> dict[str, Any]:
    text = resources.files("seqpipe.recurrence.engines").joinpath("measured.json").read_text("utf-8")
    return json.loads(text)


@lru_cache(maxsize=256)
def _behind(kernel: str, hidden_size: int, sizes: Sizes) -> frozenset[str]:
    grid = _grid()
    mode = "training" if sizes.training else "inference"
    engines = grid["speed"].get(kernel, {}).get(mode, {}).get(_threads(sizes), {})
    i = _nearest(grid["batch"], sizes.batch)
    j = _nearest(grid["n_timesteps"], sizes.n_timesteps)
    k = _nearest(grid["hidden_size"], hidden_size)
    # torch's kernel computes the padding too.
    return frozenset(name for name, speeds in engines.items() if speeds[i][j][k] < _MARGIN * sizes.valid)


def _threads(sizes: Sizes) -> str:
    """Return the number of torch's threads and of an engine's; several count as two."""
    return f"{min(sizes.torch_threads, 2)}/{min(sizes.threads, 2)}"


def _nearest(points: Sequence[int], size: int) -> int:
    """Return the index of the point whose ratio to the size is nearest to 1."""
    distances = [abs(math.log(max(size, 1) / point)) for point in points]
    return distances.index(min(distances))
