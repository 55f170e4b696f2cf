"""Peak memory of one training step, each side in a separate process."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import torch
from _claims import Options, batch_of
from _rows import Row
from _sides import calls, recurrent_side, torch_side
from cells import Problem
from torch import nn

from seqpipe import Recurrent

__all__ = ["memory_claim"]

_REQUIRED = 0.5
_PROBLEM = Problem(batch=16, steps=2000, inputs=32, hidden=256)
_WARM_UP = (2, 3)  # batch, steps
#: The peak varies little between processes.
_PROCESSES = 3


def memory_claim(options: Options) -> Iterator[Row]:
    """Measure the additional memory of a training step of a GRU."""
    problem = Problem(4, 20, 8, 16) if options.tiny else _PROBLEM
    processes = 1 if options.tiny else _PROCESSES
    runs = [(_child("ours", problem), _child("theirs", problem)) for _ in range(processes)]
    ratios = [ours["mib"] / max(theirs["mib"], 1e-9) for ours, theirs in runs]
    keys: dict[str, Any] = {
        "family": "memory",
        "claim": "gru, peak memory of a training step, of torch.nn.GRU's",
        "where": "16 × 2000 × hidden 256, 2 threads",
        "required": _REQUIRED,
    }
    ours, theirs = (statistics.median(run[k]["mib"] for run in runs) for k in (0, 1))
    norms = [result["norm"] for result in runs[0]]
    if abs(norms[0] - norms[1]) > 1e-4 * norms[1]:
        yield Row(**keys, note=f"not measured: gradients of norm {norms[0]:.6g} against {norms[1]:.6g}")
        return
    note = f"{ours:.0f} MiB against {theirs:.0f} MiB"
    yield Row(**keys, reached=ours / max(theirs, 1e-9), low=min(ratios), high=max(ratios), at_most=True, note=note)


def _child(side: str, problem: Problem) -> dict[str, float]:
    sizes = [problem.batch, problem.steps, problem.inputs, problem.hidden]
    command = [sys.executable, __file__, side, *map(str, sizes)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


class _Peak:
    """Context manager that records the peak of this process's resident memory."""

    def __enter__(self) -> _Peak:
        self._process, self._done = psutil.Process(), threading.Event()
        self.base = self.highest = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.002):
            self.highest = max(self.highest, self._process.memory_info().rss)

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def mib(self) -> float:
        """Peak above the memory at the start, in MiB."""
        return (self.highest - self.base) / 2**20


def measure_here(name: str, problem: Problem) -> dict[str, float]:
    """Run two steps; return the additional peak memory in MiB, and the norm of the gradient.

    A small step comes first, to exclude what is loaded and compiled once.
    """
    torch.set_num_threads(2)
    torch.manual_seed(0)
    module = nn.GRU(problem.inputs, problem.hidden)
    side = recurrent_side(Recurrent.from_torch(module)) if name == "ours" else torch_side(module)
    small = Problem(*_WARM_UP, problem.inputs, problem.hidden)
    calls(side, "training", *batch_of(small))()
    step = calls(side, "training", *batch_of(problem))
    with _Peak() as peak:
        step()
        step()
    gradient = torch.cat([p.grad.flatten() for p in side.module.parameters() if p.grad is not None])
    return {"mib": peak.mib, "norm": gradient.norm().item()}


if __name__ == "__main__":
    print(json.dumps(measure_here(sys.argv[1], Problem(*map(int, sys.argv[2:])))))
