"""Estimators with the compiled engine, as chosen by default."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from seqpipe import Forecaster, SequenceClassifier, SequenceRegressor

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture
def ragged():
    """Return sequences of two classes; those of the second increase."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = [rng.normal(size=(n, 2)) + np.linspace(0, 3 * c, n)[:, None] for c, n in zip(y, rng.integers(1, 12, 60))]
    return X, y


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "mlp"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_cell_learns_on_the_compiled_engine_what_it_learns_without(cell, bidirectional, ragged, monkeypatch):
    X, y = ragged
    estimator = SequenceClassifier(
        cell=cell,
        hidden_size=6,
        bidirectional=bidirectional,
        num_layers=2,
        max_epochs=5,
        dtype="float64",
        random_state=0,
    )
    fast = clone(estimator).fit(X, y)
    assert {choice.engine for choice in fast.net_.module_.recurrent.explain()} == {"c"}
    monkeypatch.setenv("SEQPIPE_ENGINE", "loop")
    slow = clone(estimator).fit(X, y)
    np.testing.assert_allclose(fast.predict_proba(X), slow.predict_proba(X), atol=1e-6)
    fast_loss, slow_loss = ([row["train_loss"] for row in fitted.history_] for fitted in (fast, slow))
    np.testing.assert_allclose(fast_loss, slow_loss, atol=1e-6)


def test_a_fit_is_the_same_to_the_bit_in_another_process(capsys):
    script = """
import numpy as np
from seqpipe import SequenceRegressor
X = np.random.default_rng(0).normal(size=(40, 7, 2))
print(SequenceRegressor(hidden_size=6, max_epochs=3, random_state=0).fit(X, X.sum((1, 2))).predict(X).tobytes().hex())
"""
    exec(script, {})
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert ran.stdout == capsys.readouterr().out


def test_a_search_over_cells_and_a_pickle_work(ragged):
    X, y = ragged
    search = GridSearchCV(
        SequenceClassifier(hidden_size=6, max_epochs=2, random_state=0), {"cell": ["gru", "rnn"]}, cv=2, n_jobs=2
    ).fit(X, y)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict_proba(X), search.predict_proba(X))


def test_a_forecast_and_a_regression_are_finite(ragged):
    X, y = ragged
    assert np.isfinite(SequenceRegressor(hidden_size=6, max_epochs=2, random_state=0).fit(X, y).predict(X)).all()
    series = np.sin(np.arange(80) / 5)
    inner = SequenceRegressor(hidden_size=6, max_epochs=2, random_state=0)
    assert np.isfinite(Forecaster(inner, window=8).fit(series).predict(3)).all()
