"""Measure the memory of a fit and a prediction on windows of a long series, relative to the series.

    python benchmarks/memory.py                     # 10,000,000 steps, windows of 512
    python benchmarks/memory.py --steps 1000000

Each line is measured in a separate process: the peak of resident memory, minus the memory after the imports and a small
fit, divided by the bytes of the series. The memory of a batch and its activations is measured by the same fit and
prediction on a series of three prediction batches, and subtracted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from seqpipe import SequenceRegressor, make_windows

WINDOW, HIDDEN, BATCH = 512, 8, 64


def peak() -> float:
    """Return the peak of this process's resident memory, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def fit_and_predict(n_steps: int, n_features: int, stride: int) -> None:
    series = np.random.default_rng(0).standard_normal((n_steps, n_features), dtype=np.float32)
    windows, y, _ = make_windows(series, series[:, 0], window=WINDOW, stride=stride)
    model = SequenceRegressor(hidden_size=HIDDEN, batch_size=BATCH, max_epochs=1, device="cpu", random_state=0)
    model.fit(windows, y).predict(windows)


def measure(n_steps: int, n_features: int, stride: int, answer: Any) -> None:
    fit_and_predict(50 * WINDOW, n_features, WINDOW)
    before = peak()
    fit_and_predict(few(stride), n_features, stride)
    batch = peak()
    fit_and_predict(n_steps, n_features, stride)
    answer.put((before, batch, peak()))


def few(stride: int) -> int:
    """Return the number of steps of three prediction batches."""
    return 3 * 2048 * stride + WINDOW


def apart(*sizes: int) -> tuple[float, float, float]:
    """Measure in a new process, since the peak of a process never falls."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=measure, args=(*sizes, answer))
    process.start()
    found: tuple[float, float, float] = answer.get()
    process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=10_000_000)
    n_steps = parser.parse_args().steps
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {n_steps} steps of float32, window {WINDOW}")
    print("| features | stride | windows | series, MiB | one batch, MiB | peak, MiB | (peak - batch) / series |")
    print("|---|---|---|---|---|---|---|")
    for n_features, stride in ((1, 512), (8, 512)):
        before, batch, most = apart(n_steps, n_features, stride)
        series = n_steps * n_features * 4 / 2**20
        small = few(stride) * n_features * 4 / 2**20  # the series within the batch's own measurement
        work = max(batch - before - small, 0)
        windows = (n_steps - WINDOW - 1) // stride + 1
        ratio = (most - before - work) / series
        print(
            f"| {n_features} | {stride} | {windows} | {series:.1f} | {work:.1f} | {most - before:.1f} | {ratio:.2f} |"
        )


if __name__ == "__main__":
    main()
