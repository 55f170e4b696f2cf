"""Compare the time to fit an ensemble of five networks with that of one network, and with five fits in turn.

    python benchmarks/ensemble.py

Prints medians over alternating repeats, and their ratios to one fit. The networks of an ensemble share each update of the
optimizer and all that is outside the recurrent layers; the kernels of these share the cores as those of one fit do.
"""

from __future__ import annotations

import numpy as np
from _measure import compare, machine
from numpy.typing import NDArray

from seqpipe import SequenceClassifier

N_MEMBERS = 5
#: Samples, steps, hidden size, samples per batch, epochs.
SIZES = [(500, 20, 32, 32, 5), (500, 50, 64, 32, 5), (1000, 50, 64, 64, 5), (1000, 100, 128, 64, 3)]


def problem(n_samples: int, n_timesteps: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return sequences of three features, labelled by the sign of a sum."""
    X = np.random.default_rng(0).normal(size=(n_samples, n_timesteps, 3)).astype(np.float32)
    return X, (X[:, :, 0].sum(axis=1) > 0).astype(np.int64)


def row(size: tuple[int, int, int, int, int]) -> str:
    """Return the row of one size."""
    n_samples, n_timesteps, hidden_size, batch_size, max_epochs = size
    X, y = problem(n_samples, n_timesteps)
    settings = {
        "hidden_size": hidden_size,
        "batch_size": batch_size,
        "max_epochs": max_epochs,
        "patch": None,
        "early_stopping": False,
    }

    def fit(n_members: int = 1, seed: int = 0) -> None:
        SequenceClassifier(**settings, n_members=n_members, random_state=seed).fit(X, y)

    timing = compare(
        {
            "one": fit,
            "ensemble": lambda: fit(N_MEMBERS),
            "in turn": lambda: [fit(seed=seed) for seed in range(N_MEMBERS)],
        },
        rounds=5,
        least=0.0,
    )
    one, ensemble, in_turn = (timing.median(side) for side in ("one", "ensemble", "in turn"))
    shape = ", ".join(map(str, size))
    return f"| {shape} | {one:.2f} | {ensemble:.2f} | {ensemble / one:.2f} | {in_turn / one:.2f} |"


def main() -> None:
    """Print one line per size."""
    print(machine())
    print(
        "| samples, steps, hidden, batch, epochs | one, s | ensemble of five, s | ensemble / one | five in turn / one |"
    )
    print("|---|---|---|---|---|")
    for size in SIZES:
        print(row(size), flush=True)


if __name__ == "__main__":
    main()
