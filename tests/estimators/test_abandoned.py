"""A search in threads that is interrupted: fits that are ended early for it are not taken for finished ones."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from seqpipe import SequenceClassifier, resumable
from seqpipe.callbacks import FitListener, FitTask
from seqpipe.training import finished_fits

RANDOM = np.random.default_rng(0)
X = [RANDOM.normal(size=(RANDOM.integers(3, 11), 2)) for _ in range(30)]
Y = [str(int(x[:, 0].sum() > 0)) for x in X]


class Interruption(BaseException):
    """Ends the search where a signal would."""


class Interrupting(FitListener):
    """Ends the search from one thread once the other trains."""

    def __init__(self) -> None:
        super().__init__()
        self.training: set[int] = set()

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        if "epoch" not in metadata:
            return
        self.training.add(threading.get_ident())
        if len(self.training) == 2 and metadata["epoch"] > 2:
            raise Interruption
        time.sleep(0.02)


@pytest.mark.slow
def test_fits_that_are_ended_early_continue(tmp_path: Path) -> None:
    model = SequenceClassifier(max_epochs=30, batch_size=8, hidden_size=4, early_stopping=False, random_state=0)
    search = GridSearchCV(model, {"cell": ["gru", "rnn"]}, cv=2, n_jobs=2)
    expected = GridSearchCV(model, {"cell": ["gru", "rnn"]}, cv=2).fit(X, Y)
    with joblib.parallel_config(backend="threading"):
        interrupted = resumable(search, tmp_path).set_callbacks(Interrupting())
        with pytest.raises(Interruption):
            interrupted.fit(X, Y)
        wait_for_other_threads()
        assert finished_fits(tmp_path) == 0
        found = resumable(search, tmp_path).fit(X, Y)
    scores = found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(*scores)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))


def wait_for_other_threads() -> None:
    deadline = time.monotonic() + 60
    while any("Thread-" in thread.name and thread.daemon for thread in threading.enumerate()):
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)
