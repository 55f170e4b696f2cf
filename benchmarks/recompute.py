"""Measure memory and time of a training step over a long sequence, with and without recomputation.

    python benchmarks/recompute.py                  # 10,000 steps, batch 16, a GRU of 256 units
    python benchmarks/recompute.py --steps 2000 --cells gru lstm
    SEQPIPE_ENGINE=loop python benchmarks/recompute.py --steps 2000

Each line is measured in a separate process: the peak of resident memory, minus the memory after the imports, the batch and
a short step, which compiles the cell.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from seqpipe import Recurrent
from seqpipe.plugins import host

__all__ = ["apart"]

INPUTS, SHORT = 8, 16


def peak() -> float:
    """Return the peak of this process's resident memory, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def step(recurrent: Recurrent, x: torch.Tensor) -> float:
    """Run one forward and backward pass, with a loss on every output; return the norm of the gradient."""
    recurrent.zero_grad()
    recurrent(x)[0].square().mean().backward()
    return float(torch.stack([p.grad.norm() for p in recurrent.parameters() if p.grad is not None]).norm())


def measure(name: str, memory: str, n_steps: int, batch: int, hidden: int, answer: Any) -> None:
    torch.manual_seed(0)
    cell = host().find("cell", name, parameter="--cells").spec.factory(INPUTS, hidden)
    recurrent = Recurrent(cell, memory=memory)
    x = torch.randn(batch, n_steps, INPUTS)
    step(recurrent, x[:, :SHORT])
    before, begun = peak(), time.perf_counter()
    norm = step(recurrent, x)
    answer.put((recurrent.explain()[0].engine, peak() - before, time.perf_counter() - begun, norm))


def apart(*case: Any) -> tuple[str, float, float, float]:
    """Measure in a new process; return engine, MiB, seconds and the norm of the gradient."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=measure, args=(*case, answer))
    process.start()
    found: tuple[str, float, float, float] = answer.get()
    process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--cells", nargs="+", default=["gru"])
    given = parser.parse_args()
    sizes = (given.steps, given.batch, given.hidden)
    print(f"Python {platform.python_version()}, torch {torch.__version__}, steps × batch × hidden {sizes}, float32")
    print("| cell | engine | memory | above the base, MiB | seconds | norm of the gradient |")
    print("|---|---|---|---|---|---|")
    for name in given.cells:
        for memory in ("keep", "recompute"):
            engine, mib, seconds, norm = apart(name, memory, *sizes)
            print(f"| {name} | {engine} | {memory} | {mib:.0f} | {seconds:.1f} | {norm:.6g} |", flush=True)


if __name__ == "__main__":
    main()
