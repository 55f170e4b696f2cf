"""MLflow's evaluation of seqpipe's models: by MLflow itself, and as a report of the run."""

import json
import os
import warnings

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from seqpipe.estimators import SequenceClassifier, SequenceRegressor
from seqpipe.exceptions import TrackingError
from seqpipe.tracking._report import evaluation_report

RANDOM = np.random.default_rng(0)
RAGGED = [RANDOM.normal(size=(n, 2)) for n in RANDOM.integers(3, 9, 40)]
SUMS = np.array([each[:, 0].sum() for each in RAGGED])
long = pytest.mark.skipif(not os.environ.get("SEQPIPE_FAULTS"), reason="takes many seconds: set SEQPIPE_FAULTS")
TINY = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}


@pytest.mark.parametrize(("kind", "cell"), [("classifier", "lists"), pytest.param("regressor", "arrays", marks=long)])
def test_mlflow_evaluates_models_of_ragged_sequences(kind, cell, make_tracker, uri, monkeypatch):
    labels = kind == "classifier"
    y = np.where(SUMS > 0, "up", "down") if labels else SUMS
    tracker = make_tracker(log_model=True)
    model = (SequenceClassifier if labels else SequenceRegressor)(**TINY).set_callbacks(tracker).fit(RAGGED, y)

    cells = [each.tolist() for each in RAGGED] if cell == "lists" else RAGGED
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn, about classes that are never predicted
        found = mlflow.models.evaluate(
            tracker.model_uri_, pd.DataFrame({"sequence": cells, "y": y}), targets="y", model_type=kind
        )
    name = "accuracy_score" if labels else "r2_score"
    assert found.metrics[name] == pytest.approx(model.score(RAGGED, y))
    linked = mlflow.MlflowClient(uri).get_logged_model(tracker.model_uri_.removeprefix("models:/")).metrics
    assert name in {each.key for each in linked}


def test_a_report_has_pictures_and_scores(data, make_tracker, client, monkeypatch):
    X, y = data
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)  # belongs to other code
    with make_tracker() as tracker:
        model = LogisticRegression().set_callbacks(tracker).fit(X[:20], y[:20])
        unseen = np.where(np.arange(10) < 1, "neither", y[20:])
        tracker.log_report(model, X[20:], unseen)
    files = {each.path for each in client.list_artifacts(tracker.run_id_, "report")}
    assert {f"report/{name}.png" for name in ("confusion_matrix", "roc_curve_plot")} < files
    with open(client.download_artifacts(tracker.run_id_, "report/metrics.json"), encoding="utf-8") as file:
        assert json.load(file)["accuracy_score"] == pytest.approx(np.mean(model.predict(X[20:]) == unseen))


@long
@pytest.mark.parametrize("kind", ["numbers", "flags", "categories", "real"])
def test_every_kind_of_target_has_a_report(data, kind):
    X, _ = data
    y = {
        "numbers": np.arange(30) % 4,
        "flags": np.arange(30) % 2 == 0,
        "categories": pd.Series(["a", "b", "c"] * 10, dtype="category"),
        "real": X[:, 0],
    }[kind]
    model = (LinearRegression() if kind == "real" else LogisticRegression()).fit(X, y)
    report = evaluation_report(model, X, y)
    assert "metrics.json" in report
    assert ("confusion_matrix.png" in report) == (kind != "real")


def test_several_targets_have_no_report(data):
    X, _ = data
    with pytest.raises(TrackingError, match="one label or number per sample only"):
        evaluation_report(LinearRegression().fit(X, X), X, X)


def test_a_failure_of_mlflow_is_told(data, monkeypatch, tmp_path):
    X, y = data
    (tmp_path / "mlflow.py").write_text("raise RuntimeError('no such thing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(TrackingError, match=r"could not evaluate the predictions \(RuntimeError: no such thing\)"):
        evaluation_report(LogisticRegression().fit(X, y), X, y)
