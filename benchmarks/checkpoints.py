"""Compare the time of a fit that writes checkpoints at the default interval with that of a fit that writes none.

    python benchmarks/checkpoints.py

Prints medians over alternating repeats, and the median of their ratios; the folder is on the disk of the temporary files.
The last rows write a checkpoint after every update: the time of one checkpoint, which the default interval takes into
account, since it is at least 50 times as long.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _measure import machine

from seqpipe import Checkpoint, SequenceClassifier

ROUNDS = 5
#: Samples, steps, hidden size, layers, epochs: of about 15 and 30 seconds on two cores.
SIZES = [(2000, 100, 64, 1, 40), (2000, 100, 256, 2, 6)]


def fit(size: tuple[int, int, int, int, int], checkpoint: Checkpoint | None, max_epochs: int | None = None) -> float:
    """Return the seconds of a fit."""
    n_samples, n_timesteps, hidden_size, num_layers, epochs = size
    X = np.random.default_rng(0).normal(size=(n_samples, n_timesteps, 3)).astype(np.float32)
    settings: dict[str, Any] = {"hidden_size": hidden_size, "num_layers": num_layers, "patch": None}
    model = SequenceClassifier(
        **settings, max_epochs=max_epochs or epochs, early_stopping=False, random_state=0, checkpoint=checkpoint
    )
    start = time.perf_counter()
    model.fit(X, X[:, :, 0].sum(axis=1) > 0)
    return time.perf_counter() - start


def row(size: tuple[int, int, int, int, int]) -> str:
    """Return the row of one size: alternating fits."""
    without, with_checkpoints = [], []
    fit(size, None, 1)
    for _ in range(ROUNDS):
        without.append(fit(size, None))
        with tempfile.TemporaryDirectory() as folder:
            with_checkpoints.append(fit(size, Checkpoint(folder)))
    ratio = statistics.median(b / a for a, b in zip(without, with_checkpoints))
    shape = ", ".join(map(str, size))
    return f"| {shape} | {statistics.median(without):.1f} | {statistics.median(with_checkpoints):.1f} | {ratio:.3f} |"


def each_update(size: tuple[int, int, int, int, int]) -> str:
    """Return the row of the time and bytes of a single checkpoint."""
    seconds, n_bytes = [], 0
    n_updates = -(-size[0] // 64)
    for _ in range(ROUNDS):
        plain = fit(size, None, 1)
        with tempfile.TemporaryDirectory() as folder:
            seconds.append((fit(size, Checkpoint(folder, every_n_updates=1), 1) - plain) / n_updates)
            n_bytes = max(path.stat().st_size for path in Path(folder).glob("*.checkpoint"))
    shape = ", ".join(map(str, size))
    return f"| {shape} | {1000 * statistics.median(seconds):.0f} | {n_bytes / 2**20:.1f} |"


def main() -> None:
    """Print one line per size."""
    print(machine())
    print("| samples, steps, hidden, layers, epochs | without, s | with, s | ratio |")
    print("|---|---|---|---|")
    for size in SIZES:
        print(row(size), flush=True)
    print()
    print("| samples, steps, hidden, layers, epochs | one checkpoint, ms | MiB |")
    print("|---|---|---|")
    for size in SIZES:
        print(each_update(size), flush=True)


if __name__ == "__main__":
    main()
