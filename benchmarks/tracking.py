"""Measure what tracking costs: milliseconds per fit of a search, and of a fit alone, beyond the same without a tracker.

    python benchmarks/tracking.py

Both sides run in alternation in one process and write to an embedded store that exists already, without models. Prints the
median of each side over the rounds and their difference per fit. The fits are small, so that nothing of the writing
hides behind training.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from _measure import compare, machine, threads
from sklearn.model_selection import GridSearchCV

from seqpipe import SequenceClassifier
from seqpipe.tracking import MLflowTracker

ROUNDS = 9
CANDIDATES, FOLDS, EPOCHS = 10, 3, 5
#: All fits of the search, the refit included.
FITS = CANDIDATES * FOLDS + 1


def model() -> SequenceClassifier:
    """Return an estimator whose fit takes a moment."""
    return SequenceClassifier(hidden_size=4, max_epochs=EPOCHS, early_stopping=False, random_state=0)


def problem() -> tuple[Any, Any]:
    """Return 30 sequences of eight steps, and their labels."""
    X = np.random.default_rng(0).normal(size=(30, 8, 2)).astype(np.float32)
    return X, np.arange(30) % 2


def search() -> GridSearchCV:
    """Return a search over learning rates."""
    return GridSearchCV(model(), {"lr": np.geomspace(1e-3, 1e-2, CANDIDATES).tolist()}, cv=FOLDS)


@contextmanager
def working_folder() -> Iterator[None]:
    """Work in a temporary folder, which holds the store and is no git repository."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def sides(make: Callable[[], Any]) -> dict[str, Callable[[], object]]:
    """Return both sides: the fit of a new estimator without a tracker, and with one."""
    X, y = problem()
    numbers = count()

    def tracked() -> object:
        tracker = MLflowTracker(f"search {next(numbers) % 2}", log_model=False)
        return make().set_callbacks(tracker).fit(X, y)

    return {"without": lambda: make().fit(X, y), "with": tracked}


def main() -> None:
    """Print one row per case."""
    warnings.simplefilter("ignore")
    print(f"{machine()}; {ROUNDS} rounds")
    print("| | fits | without, ms | with, ms | tracking, ms per fit |\n|---|---|---|---|---|")
    with working_folder(), threads(1):
        for name, make, n_fits in (("fit alone", model, 1), ("search", search, FITS)):
            timing = compare(sides(make), ROUNDS, least=0)
            without, tracked = 1000 * timing.median("without"), 1000 * timing.median("with")
            print(
                f"| {name} | {n_fits} | {without:.0f} | {tracked:.0f} | {(tracked - without) / n_fits:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
