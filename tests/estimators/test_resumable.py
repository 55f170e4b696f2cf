"""Searches that are interrupted and continued."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, KFold, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from seqpipe import Checkpoint, Forecaster, SequenceClassifier, SequenceRegressor, SequenceScaler, resumable
from seqpipe.exceptions import CheckpointError
from seqpipe.training import finished_fits

ALL = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")
RANDOM = np.random.default_rng(0)
X = [RANDOM.normal(size=(RANDOM.integers(3, 11), 2)) for _ in range(30)]
Y = [str(int(x[:, 0].sum() > 0)) for x in X]


def classifier(**params: Any) -> SequenceClassifier:
    small = {"max_epochs": 2, "batch_size": 8, "hidden_size": 4, "random_state": 0}
    return SequenceClassifier(**{**small, "early_stopping": False, **params})


def make_search(kind: str, n_jobs: int | None = None) -> Any:
    model = make_pipeline(SequenceScaler(), classifier())
    values = {"sequenceclassifier__cell": ["gru", "rnn"], "sequenceclassifier__dropout": [0.0, 0.2]}
    if kind == "grid":
        return GridSearchCV(model, values, cv=2, n_jobs=n_jobs)
    if kind == "random":
        return RandomizedSearchCV(model, values, n_iter=3, cv=KFold(2, shuffle=True), n_jobs=n_jobs)
    return HalvingRandomSearchCV(model, values, cv=2, min_resources=12, n_jobs=n_jobs)


def results(search: Any) -> dict[str, Any]:
    found = {name: values for name, values in search.cv_results_.items() if "time" not in name}
    return {name: np.asarray(values).tolist() for name, values in found.items()} | {
        "best": search.best_params_,
        "predictions": search.predict_proba(X).tolist(),
    }


@pytest.mark.parametrize("kind", ["grid", "random", "halving"] if ALL else ["random"])
def test_a_continued_search_equals_the_uninterrupted_one(kind: str, tmp_path: Path, updates_counted: Any) -> None:
    folder = tmp_path / "search"
    total = 0
    for most in (3, 4):
        with updates_counted(most) as made, pytest.raises(KeyboardInterrupt):
            resumable(make_search(kind), folder, every_n_updates=1).fit(X, Y)
        total += len(made)
    with updates_counted() as made:
        found = resumable(make_search(kind), folder, every_n_updates=1).fit(X, Y)
    total += len(made)
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "seed.json").write_text((folder / "seed.json").read_text())
    with updates_counted() as all_made:
        expected = resumable(make_search(kind), whole).fit(X, Y)
    assert results(found) == results(expected)
    assert total == len(all_made)  # no update was made twice


def test_a_finished_search_trains_nothing(tmp_path: Path, updates_counted: Any) -> None:
    first = resumable(make_search("grid"), tmp_path).fit(X, Y)
    assert finished_fits(tmp_path) == 9
    with updates_counted() as made:
        again = resumable(make_search("grid"), tmp_path).fit(X, Y)
    assert made == []
    assert results(again) == results(first)
    assert results(make_search("grid").fit(X, Y)) == results(first)


def test_other_candidates_are_added(tmp_path: Path, updates_counted: Any) -> None:
    def search(cells: list[str]) -> Any:
        return resumable(GridSearchCV(classifier(), {"cell": cells}, cv=2, refit=False), tmp_path)

    with updates_counted() as both:
        search(["gru", "rnn"]).fit(X, Y)
    with updates_counted() as one:
        search(["gru", "rnn", "lstm"]).fit(X, Y)
    assert len(one) == len(both) / 2


CODE = """\
import os, pickle, signal, sys
sys.path.insert(0, os.path.dirname({module!r}))
import joblib, test_resumable as test
from seqpipe import resumable
from seqpipe.training import SequenceNet
kind, n_jobs, backend, folder, kill = {arguments!r}
step, made = SequenceNet.train_step, []
def train_step(self, batch, **params):
    made.append(1)
    if len(made) == kill:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, **params)
SequenceNet.train_step = train_step
with joblib.parallel_config(backend=backend):
    search = resumable(test.make_search(kind, n_jobs), folder, every_n_updates=2).fit(test.X, test.Y)
open(folder + "/results", "wb").write(pickle.dumps(test.results(search)))
"""


def run(kind: str, n_jobs: int, backend: str, folder: Path, kill: int) -> int:
    code = CODE.format(module=__file__, arguments=(kind, n_jobs, backend, str(folder), kill))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode


@pytest.mark.skipif(not ALL, reason="long; make faults runs it")
@pytest.mark.parametrize("kind", ["grid", "random", "halving"])
@pytest.mark.parametrize(("n_jobs", "backend"), [(1, "loky"), (2, "threading"), (2, "loky")])
def test_nothing_of_a_killed_search_is_lost(kind: str, n_jobs: int, backend: str, tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    assert run(kind, n_jobs, backend, whole, 0) == 0
    folder.mkdir()
    (folder / "seed.json").write_text((whole / "seed.json").read_text())
    if backend == "threading" or n_jobs == 1:  # else workers train
        for kill in (7, 5, 3):
            assert run(kind, n_jobs, backend, folder, kill) == -9
    assert run(kind, n_jobs, backend, folder, 0) == 0
    found, expected = (pickle.loads((each / "results").read_bytes()) for each in (folder, whole))
    assert found == expected


def test_cross_validation_continues(tmp_path: Path, updates_counted: Any) -> None:
    expected = cross_val_score(classifier(), X, Y, cv=3)
    model = resumable(classifier(), tmp_path)
    np.testing.assert_array_equal(cross_val_score(model, X, Y, cv=3), expected)
    with updates_counted() as made:
        np.testing.assert_array_equal(cross_val_score(model, X, Y, cv=3), expected)
    assert made == []


def test_estimators_in_the_grid_write_checkpoints_too(tmp_path: Path) -> None:
    pipeline = make_pipeline(SequenceScaler(), classifier())
    grid = {"sequenceclassifier": [classifier(cell="rnn"), classifier(cell="gru")]}
    resumable(GridSearchCV(pipeline, grid, cv=2), tmp_path).fit(X, Y)
    assert finished_fits(tmp_path) == 5


def test_the_fits_inside_a_forecaster_have_folders_of_their_own(tmp_path: Path, updates_counted: Any) -> None:
    series = np.sin(np.arange(80.0) / 5)
    inner = SequenceRegressor(max_epochs=2, hidden_size=4, random_state=0)
    expected = Forecaster(inner, window=8, horizon=2).fit(series).predict()
    found = resumable(Forecaster(inner, window=8, horizon=2), tmp_path).fit(series)
    np.testing.assert_array_equal(found.predict(), expected)
    with updates_counted() as made:
        resumable(Forecaster(inner, window=8, horizon=2), tmp_path).fit(series)
    assert made == []


def test_the_original_is_not_changed(tmp_path: Path) -> None:
    search = make_search("random")
    copied = resumable(search, tmp_path)
    assert (search.random_state, search.cv.random_state) == (None, None)
    assert search.estimator[-1].checkpoint is None
    assert copied.estimator[-1].checkpoint == Checkpoint(tmp_path, shared=True)
    assert copied.random_state == resumable(search, tmp_path).random_state
    assert copied.cv.random_state == resumable(search, tmp_path).cv.random_state


def test_a_search_without_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="GridSearchCV holds no estimator of seqpipe"):
        resumable(GridSearchCV(LogisticRegression(), {"C": [1.0]}), tmp_path)


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"The folder '/proc/seqpipe' cannot hold checkpoints"):
        resumable(classifier(), "/proc/seqpipe")
