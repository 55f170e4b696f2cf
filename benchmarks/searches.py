"""Compare the time of a search with one worker, two threads, and two processes including their start.

    python benchmarks/searches.py

Prints medians over alternating repeats of the fit of a GridSearchCV over four learning rates and three folds, without a
refit. Scores are checked to agree within 0.05. Threads share Python's lock, which only the kernels release, so they
need large steps. Processes share nothing, and each imports torch and scikit-learn.
"""

from __future__ import annotations

import platform
import statistics
import time
from typing import Any

import joblib
import numpy as np
import torch
from joblib.externals.loky import get_reusable_executor
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV

from seqpipe import SequenceClassifier

REPEATS = 3
WORKERS: dict[str, dict[str, Any]] = {
    "alone": {"n_jobs": 1},
    "two threads": {"backend": "threading", "n_jobs": 2},
    "two processes": {"backend": "loky", "n_jobs": 2},
}
#: Samples, steps, hidden size, samples per batch, epochs.
SIZES = [(400, 8, 16, 32, 4), (400, 20, 32, 64, 6), (600, 100, 64, 64, 4)]


def problem(n_samples: int, n_timesteps: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return sequences of three features, labelled by the sign of a sum."""
    X = np.random.default_rng(0).normal(size=(n_samples, n_timesteps, 3)).astype(np.float32)
    return X, (X[:, :, 0].sum(axis=1) > 0).astype(np.int64)


def searched(size: tuple[int, int, int, int, int], workers: dict[str, Any]) -> tuple[float, NDArray[np.float64]]:
    """Return the seconds of a search and its scores."""
    n_samples, n_timesteps, hidden_size, batch_size, max_epochs = size
    X, y = problem(n_samples, n_timesteps)
    settings = {"hidden_size": hidden_size, "batch_size": batch_size, "max_epochs": max_epochs}
    model = SequenceClassifier(**settings, early_stopping=False, random_state=0)
    search = GridSearchCV(model, {"lr": [1e-3, 3e-3, 1e-2, 3e-2]}, cv=3, refit=False)
    begin = time.perf_counter()
    with joblib.parallel_config(**workers):
        search.fit(X, y)
    seconds = time.perf_counter() - begin
    get_reusable_executor().shutdown()  # so that the next search starts new processes
    return seconds, search.cv_results_["mean_test_score"]


def main() -> None:
    """Print one line per size."""
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"| samples, steps, hidden, batch, epochs | {', s | '.join(WORKERS)}, s |\n|---{'|---' * len(WORKERS)}|")
    for size in SIZES:
        searched(size, WORKERS["alone"])
        rounds = [{name: searched(size, workers) for name, workers in WORKERS.items()} for _ in range(REPEATS)]
        for found in rounds:
            for _, scores in found.values():
                # workers have different numbers of threads of torch, so gradients are rounded differently
                np.testing.assert_allclose(scores, rounds[0]["alone"][1], atol=0.05)
        medians = [f"{statistics.median(found[name][0] for found in rounds):.1f}" for name in WORKERS]
        print(f"| {', '.join(map(str, size))} | {' | '.join(medians)} |", flush=True)


if __name__ == "__main__":
    main()
