"""Workers of a search share the processors, and in threads also the global state of the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from seqpipe.callbacks import FitListener, FitTask
from seqpipe.estimators import SequenceClassifier

GRID = {"cell": ["gru", "lstm"], "hidden_size": [4, 9], "dropout": [0, 0.5], "memory": ["keep", "recompute"]}
IN_THREADS = "threading"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Limit torch, and each worker, to one thread: the split of a batch determines the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data() -> tuple[Any, Any]:
    X = np.random.default_rng(0).normal(size=(40, 6, 2))
    return X, (X[:, :, 0].sum(axis=1) > 0).astype(int)


def torchs_threads(estimator: Any, X: Any, y: Any) -> float:
    return torch.get_num_threads()


def test_a_search_divides_torchs_threads_among_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # the user's own setting would take precedence
        monkeypatch.delenv(name, raising=False)
    X = np.random.default_rng(0).normal(size=(16, 4, 1))
    model = SequenceClassifier(hidden_size=2, max_epochs=1, random_state=0)
    search = GridSearchCV(model, {"lr": [0.01]}, cv=2, n_jobs=2, scoring=torchs_threads, refit=False)
    results = search.fit(X, np.arange(16) % 2).cv_results_
    for fold in range(2):
        assert results[f"split{fold}_test_score"][0] == max(1, joblib.cpu_count() // 2)


def search(data: tuple[Any, Any], n_jobs: int, model: SequenceClassifier | None = None) -> GridSearchCV:
    model = model or SequenceClassifier(max_epochs=3, random_state=0)
    found = GridSearchCV(model, GRID, cv=2, n_jobs=n_jobs, scoring="neg_log_loss", return_train_score=True)
    with nullcontext() if n_jobs == 1 else joblib.parallel_config(backend=IN_THREADS):
        return found.fit(*data)


def scores(found: GridSearchCV) -> dict[str, Any]:
    return {name: values.tolist() for name, values in found.cv_results_.items() if name.endswith("_score")}


@pytest.mark.usefixtures("compiled", "one_thread")
def test_a_search_on_threads_is_bit_for_bit_the_one_without(
    data: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQPIPE_CACHE", str(tmp_path))  # the threads compile in parallel
    before = torch.get_rng_state()
    threaded = search(data, 3)
    alone = search(data, 1)
    assert scores(threaded) == scores(alone)
    np.testing.assert_array_equal(threaded.predict_proba(data[0]), alone.predict_proba(data[0]))
    assert torch.equal(torch.get_rng_state(), before)


class MeetsTheOthers(FitListener):
    """Continues once two fits have finished an epoch; a copy would wait alone."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(2)

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        """Wait at the end of a fit's first epoch."""
        if metadata.get("epoch") == 1:
            self.barrier.wait(timeout=60)


def test_fits_that_draw_no_random_numbers_train_side_by_side(data: tuple[Any, Any]) -> None:
    model = SequenceClassifier(hidden_size=4, max_epochs=2, random_state=0)
    found = GridSearchCV(model, {"lr": [0.01, 0.02]}, cv=2, n_jobs=2, refit=False).set_callbacks(MeetsTheOthers())
    with joblib.parallel_config(backend=IN_THREADS):
        found.fit(*data)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


def test_a_callback_that_draws_draws_the_same_in_threads(data: tuple[Any, Any]) -> None:
    from skorch.callbacks import Callback

    class Noise(Callback):
        def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) > 1:
                for p in net.module_.parameters():
                    p.data.add_(0.1 * torch.randn_like(p))

    model = SequenceClassifier(max_epochs=3, random_state=0, net_params={"callbacks": [("noise", Noise())]})
    assert scores(search(data, 2, model)) == scores(search(data, 1, model))
