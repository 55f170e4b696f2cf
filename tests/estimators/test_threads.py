"""A search's workers share the processors."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from seqpipe.estimators import SequenceClassifier


def torchs_threads(estimator: Any, X: Any, y: Any) -> float:
    import torch

    return torch.get_num_threads()


def test_a_search_divides_torchs_threads_among_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # the user's own word would count
        monkeypatch.delenv(name, raising=False)
    X = np.random.default_rng(0).normal(size=(16, 4, 1))
    model = SequenceClassifier(hidden_size=2, max_epochs=1, random_state=0)
    search = GridSearchCV(model, {"lr": [0.01]}, cv=2, n_jobs=2, scoring=torchs_threads, refit=False)
    results = search.fit(X, np.arange(16) % 2).cv_results_
    for fold in range(2):
        assert results[f"split{fold}_test_score"][0] == max(1, joblib.cpu_count() // 2)
