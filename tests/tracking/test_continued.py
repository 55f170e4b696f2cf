"""Runs that an interrupted fit has left, and that the next one continues."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from sklearn.model_selection import GridSearchCV

from seqpipe import MLflowTracker, SequenceClassifier, resumable
from seqpipe.exceptions import TrackingError

RANDOM = np.random.default_rng(0)
X = [RANDOM.normal(size=(RANDOM.integers(3, 11), 2)) for _ in range(30)]
Y = [str(int(x[:, 0].sum() > 0)) for x in X]


def fit(folder: Path, uri: str, n_jobs: int | None = None) -> Any:
    small = {"max_epochs": 3, "batch_size": 8, "hidden_size": 4, "random_state": 0, "early_stopping": False}
    search = GridSearchCV(SequenceClassifier(**small), {"cell": ["gru", "rnn"]}, cv=2, n_jobs=n_jobs)
    search = resumable(search, folder, every_n_updates=1)
    tracker = MLflowTracker("continued", tracking_uri=uri, continues=folder)
    return search.set_callbacks(tracker).fit(X, Y)


def runs_of(uri: str) -> list[Any]:
    client = MlflowClient(uri)
    [experiment] = [each for each in client.search_experiments() if each.name == "continued"]
    return list(client.search_runs([experiment.experiment_id]))


def assert_whole(uri: str) -> None:
    """Check that there is one tree, complete, and that nothing in it is doubled."""
    client, runs = MlflowClient(uri), runs_of(uri)
    kinds = Counter(run.data.tags["seqpipe.kind"] for run in runs)
    assert kinds == {"search": 1, "candidate": 2, "fold": 4, "refit": 1}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert not any("seqpipe.error" in run.data.tags for run in runs)
    for run in runs:
        for key in run.data.metrics:
            steps = Counter(point.step for point in client.get_metric_history(run.info.run_id, key))
            assert set(steps.values()) == {1}, (run.info.run_name, key)
            if key in ("train_loss", "mean_train_loss"):
                assert set(steps) == {1, 2, 3}
        assert ("mean_train_loss" in run.data.metrics) == (run.data.tags["seqpipe.kind"] == "candidate")
    [refit] = [run for run in runs if run.data.tags["seqpipe.kind"] == "refit"]
    assert len(refit.outputs.model_outputs) == 1


@pytest.mark.parametrize("n_jobs", [None, 2] if os.environ.get("SEQPIPE_FAULTS") else [None])
def test_the_runs_of_an_interrupted_search_are_continued(
    n_jobs: int | None, updates_counted: Any, tmp_path: Path, own_folder: Path
) -> None:
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    if n_jobs is None:
        for updates in (5, 8, 11):
            with updates_counted(updates), pytest.raises(KeyboardInterrupt):
                fit(tmp_path / "search", uri)
            assert {run.info.status for run in runs_of(uri)} <= {"KILLED", "FAILED", "FINISHED"}
    search = fit(tmp_path / "search", uri, n_jobs)
    assert_whole(uri)
    identifiers = {run.info.run_id for run in runs_of(uri)}
    again = fit(tmp_path / "search", uri, n_jobs)
    assert_whole(uri)
    assert {run.info.run_id for run in runs_of(uri)} == identifiers
    assert again.best_score_ == search.best_score_


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_runs_of_a_killed_search_are_continued(tmp_path: Path, own_folder: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    killed = 0
    for seconds in (0.8, 1.6, 2.4):
        child = os.fork()
        if child == 0:
            try:
                torch.set_num_threads(1)
                fit(tmp_path / "search", uri)
            finally:
                os._exit(0)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    fit(tmp_path / "search", uri)
    assert killed
    assert_whole(uri)


def test_without_a_folder_each_fit_has_runs_of_its_own(tmp_path: Path, own_folder: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    model = SequenceClassifier(max_epochs=1, hidden_size=4, early_stopping=False)
    for _ in range(2):
        model.set_callbacks(MLflowTracker("continued", tracking_uri=uri)).fit(X, Y)
    assert len(runs_of(uri)) == 2


def test_a_damaged_key_is_refused(tmp_path: Path, own_folder: Path) -> None:
    (tmp_path / "runs.json").write_text('{"runs": "% OR 1=1"}')
    model = SequenceClassifier(max_epochs=1, hidden_size=4, early_stopping=False)
    with pytest.raises(TrackingError, match=r"runs\.json' is damaged"):
        model.set_callbacks(MLflowTracker("continued", continues=tmp_path)).fit(X, Y)
    with pytest.raises(TrackingError, match=r"'/proc/seqpipe', whose runs are to be continued, cannot be used"):
        model.set_callbacks(MLflowTracker("continued", continues="/proc/seqpipe")).fit(X, Y)
