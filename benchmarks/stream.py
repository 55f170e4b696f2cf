"""Compare the time of one step of a stream with a step of torch.nn.GRUCell.

    python benchmarks/stream.py

Prints medians over alternating repeats in one process, and their ratio, for a fitted SequenceRegressor with hidden size
64, 4 features and each pooling. In addition to the cell a stream runs scaling, checks, pooling and the output layer.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from seqpipe import SequenceRegressor

HIDDEN, FEATURES, STEPS, REPEATS = 64, 4, 500, 9


def seconds_per_step(step: Callable[[int], object]) -> float:
    begin = time.perf_counter()
    for t in range(STEPS):
        step(t)
    return (time.perf_counter() - begin) / STEPS


def stream_step(pooling: str, X: np.ndarray) -> Callable[[int], object]:
    model = SequenceRegressor(hidden_size=HIDDEN, pooling=pooling, max_epochs=1, random_state=0)
    stream = model.fit(X, X.sum(axis=(1, 2))).stream()
    return lambda t: stream.push(X[0, t])


def plain_step(X: np.ndarray) -> Callable[[int], object]:
    cell, state = torch.nn.GRUCell(FEATURES, HIDDEN), [torch.zeros(1, HIDDEN)]
    steps = torch.from_numpy(X[0].astype(np.float32))

    def step(t: int) -> None:
        with torch.inference_mode():
            state[0] = cell(steps[t : t + 1], state[0])

    return step


def main() -> None:
    X = np.random.default_rng(0).normal(size=(32, STEPS, FEATURES))
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print("| pooling | stream, ms per step | GRUCell, ms per step | ratio |\n|---|---|---|---|")
    for pooling in ("last", "mean", "last_mean", "max", "attention"):
        ours, plain = stream_step(pooling, X), plain_step(X)
        pairs = [(seconds_per_step(ours), seconds_per_step(plain)) for _ in range(REPEATS)]
        a, b = (1e3 * statistics.median(side) for side in zip(*pairs))
        print(f"| {pooling} | {a:.4f} | {b:.4f} | {a / b:.1f} |")


if __name__ == "__main__":
    main()
