"""Models saved to files and loaded again, without pickle and without MLflow."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import seqpipe
from seqpipe import (
    Forecaster,
    LanguageModel,
    PadSequences,
    SequenceCaptioner,
    SequenceClassifier,
    SequenceRegressor,
    SequenceScaler,
    SequenceTranslator,
    SlidingWindowClassifier,
    SlidingWindowRegressor,
    StepClassifier,
    StepRegressor,
    WindowedRegressor,
    WindowSplit,
    make_windows,
    reported,
)
from seqpipe.exceptions import BundleError

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 6, 2)).astype("f4")
LABELS = np.array(["down", "up"])[np.arange(12) % 2]
NUMBERS = X[:, -1, 0]
TEXTS = ["abba", "baab", "abab"] * 4
TINY: dict[str, Any] = {"hidden_size": 3, "max_epochs": 1, "random_state": 0}

MODELS = {
    "Forecaster": (Forecaster(SequenceRegressor(**TINY), window=4, horizon=2), np.sin(np.arange(30)), None),
    "LanguageModel": (LanguageModel(**TINY), TEXTS, None),
    "SequenceCaptioner": (SequenceCaptioner(**TINY), X, TEXTS),
    "SequenceClassifier": (SequenceClassifier(**TINY), X, LABELS),
    "SequenceRegressor": (SequenceRegressor("lstm", **TINY), X, NUMBERS),
    "SequenceTranslator": (SequenceTranslator(**TINY), TEXTS, TEXTS),
    "SlidingWindowClassifier": (SlidingWindowClassifier(LogisticRegression(), window=3), X, LABELS),
    "SlidingWindowRegressor": (SlidingWindowRegressor(Ridge(), window=3), X, NUMBERS),
    "StepClassifier": (StepClassifier(**TINY), X, np.repeat(LABELS[:, None], 6, axis=1)),
    "StepRegressor": (StepRegressor(**TINY), X, X[:, :, 0]),
    "WindowedRegressor": (WindowedRegressor(SequenceRegressor(**TINY), window=4), np.ones((30, 2)), np.arange(30.0)),
    "pipeline": (make_pipeline(SequenceScaler(), SequenceClassifier(**TINY)), X, LABELS),
    "grid search": (GridSearchCV(SequenceClassifier(**TINY), {"cell": ["gru", "rnn"]}, cv=2), X, LABELS),
    "search with a score": (
        GridSearchCV(SequenceClassifier(**TINY), {"hidden_size": [2, 3]}, cv=2, scoring="f1_macro"),
        X,
        LABELS,
    ),
    "search with scores": (
        RandomizedSearchCV(
            SequenceRegressor(**TINY),
            {"lr": [0.1, 0.01]},
            n_iter=2,
            cv=2,
            scoring=["r2", "neg_mean_absolute_error"],
            refit="r2",
        ),
        X,
        NUMBERS,
    ),
    "search with a splitter": (
        GridSearchCV(SequenceRegressor(**TINY), {"lr": [0.1, 0.01]}, cv=ShuffleSplit(2, random_state=0)),
        X,
        NUMBERS,
    ),
    "search over windows": (
        GridSearchCV(SequenceRegressor(**TINY), {"lr": [0.1, 0.01]}, cv=WindowSplit(2)),
        *make_windows(np.sin(np.arange(60.0)), window=4)[:2],
    ),
    "search over a pipeline": (
        GridSearchCV(
            make_pipeline(SequenceScaler(), SequenceClassifier(**TINY)),
            {"sequenceclassifier__cell": ["gru", "lstm"]},
            cv=2,
        ),
        X,
        LABELS,
    ),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.skops"


def predicted(model: Any, data: Any) -> Any:
    return [model.bits_per_token(data)] if isinstance(model, LanguageModel) else model.predict(data)


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_predicts_the_same_bits(name: str, path: Path) -> None:
    model, data, y = MODELS[name]
    model.fit(data) if y is None else model.fit(data, y)
    seqpipe.save(model, path)
    loaded = seqpipe.load(path)

    assert type(loaded) is type(model)
    expected, found = predicted(model, data), predicted(loaded, data)
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)


def test_every_estimator_has_a_case() -> None:
    estimators = {name for name, home in seqpipe._HOMES.items() if home == "seqpipe.estimators" and name[0].isupper()}
    assert estimators <= MODELS.keys()


def test_a_loaded_search_keeps_its_results_and_trains_again(path: Path) -> None:
    search = GridSearchCV(SequenceClassifier(**TINY), {"cell": ["gru", "rnn"]}, cv=2, scoring="accuracy").fit(X, LABELS)
    seqpipe.save(search, path)
    loaded = seqpipe.load(path)

    assert loaded.best_params_ == search.best_params_
    assert loaded.score(X, LABELS) == search.score(X, LABELS)
    assert loaded.cv_results_["params"] == search.cv_results_["params"]
    np.testing.assert_array_equal(loaded.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])
    loaded.fit(X, LABELS)


def test_a_model_is_loaded_where_mlflow_is_not_installed(path: Path) -> None:
    seqpipe.save(SequenceClassifier(**TINY).fit(X, LABELS), path)
    code = (
        "import sys; sys.modules['mlflow'] = None; import seqpipe, numpy as np;"
        "print(*seqpipe.load(sys.argv[1]).predict(np.zeros((1, 4, 2))))"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert ran.stdout.strip() in ("up", "down"), ran.stderr


def test_callbacks_are_left_behind(path: Path) -> None:
    class Unwritable:
        def setup(self, estimator: Any, context: Any) -> None: ...
        def teardown(self, estimator: Any, context: Any) -> None: ...
        def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...
        def on_fit_task_end(self, estimator: Any, context: Any) -> None: ...

    model = SequenceClassifier(**TINY).set_callbacks(Unwritable()).fit(X, LABELS)
    seqpipe.save(model, path)
    assert not hasattr(seqpipe.load(path), "_skl_callbacks")
    assert hasattr(model, "_skl_callbacks")


def test_a_model_that_is_not_fitted_is_not_saved(path: Path) -> None:
    with pytest.raises(NotFittedError, match="SequenceClassifier"):
        seqpipe.save(SequenceClassifier(), path)
    assert not path.exists()


def test_a_file_is_replaced_as_a_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("precious")
    model = SequenceClassifier(**TINY).fit(X, LABELS)

    def full(*args: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        seqpipe.save(model, path)
    assert path.read_text() == "precious"
    assert list(path.parent.iterdir()) == [path]
    monkeypatch.undo()
    seqpipe.save(model, str(path))
    seqpipe.load(str(path))


# ---- what is refused


class Foreign(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> Any:
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        return X


def half(y: Any, predicted: Any) -> float:
    return 0.5


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (make_pipeline(Foreign(), SequenceClassifier(**TINY)), "Foreign"),
        (GridSearchCV(SequenceClassifier(**TINY), {"lr": [0.1]}, cv=2, scoring=make_scorer(half)), "half"),
        (
            RandomizedSearchCV(SequenceClassifier(**TINY), {"lr": loguniform(0.01, 0.1)}, n_iter=1, cv=2),
            "rv_continuous_frozen",
        ),
        (SlidingWindowClassifier(DecisionTreeClassifier(), window=3), "Tree"),
    ],
    ids=["estimator", "function", "distribution", "compiled code"],
)
def test_a_model_that_could_not_be_loaded_is_not_saved(model: Any, named: str, path: Path) -> None:
    model.fit(X, LABELS)
    with pytest.raises(BundleError, match=rf"^{type(model).__name__} holds .*{named}.*[Rr]eplace it"):
        seqpipe.save(model, path)
    assert not path.exists()


def test_of_a_search_that_cannot_be_saved_the_best_estimator_is_named(path: Path) -> None:
    search = GridSearchCV(SequenceClassifier(**TINY), {"lr": [0.1]}, cv=2, scoring=make_scorer(half)).fit(X, LABELS)
    with pytest.raises(BundleError, match="Its best_estimator_ may be saved alone"):
        seqpipe.save(search, path)
    seqpipe.save(search.best_estimator_, path)


class Scripted(seqpipe.GRUCell):
    __module__ = "__main__"


def test_a_cell_of_a_script_is_refused_with_the_remedy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "Scripted", Scripted, raising=False)
    model = SequenceClassifier(cell=Scripted, **TINY).fit(X, LABELS)
    with pytest.raises(
        BundleError, match=r"holds __main__\.Scripted, .* Move classes of a script or notebook .* plug-in"
    ):
        seqpipe.save(model, path)


def test_what_skops_cannot_write_is_named(path: Path) -> None:
    model = SequenceClassifier(**TINY).fit(X, LABELS)
    model.note = (each for each in X)
    with pytest.raises(BundleError, match="skops cannot write SequenceClassifier"):
        seqpipe.save(model, path)


class Payload:
    """Runs a command when it is read by pickle."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def test_a_pickle_is_not_read(path: Path, tmp_path: Path) -> None:
    path.write_bytes(pickle.dumps(Payload(tmp_path / "ran")))
    with pytest.raises(
        BundleError, match=r"The file '.*model\.skops' cannot be read .* Was it written by seqpipe\.save\?"
    ):
        seqpipe.load(path)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_inside_a_file_is_not_read(path: Path, tmp_path: Path) -> None:
    seqpipe.save(SequenceClassifier(**TINY).fit(X, LABELS), path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    hostile = np.empty(1, dtype=object)
    hostile[0] = Payload(tmp_path / "ran")
    array = tmp_path / "hostile.npy"
    np.save(array, hostile, allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, array.read_bytes() if name.endswith(".npy") else content)
    with pytest.raises(BundleError, match=r"is not read: the entry '.*npy' is an array of object"):
        seqpipe.load(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("function", [os.system, subprocess.run, pickle.loads], ids=lambda function: function.__name__)
def test_a_file_that_names_a_function_is_refused(path: Path, function: Any) -> None:
    forged = LogisticRegression()
    forged.predict = function
    skops.io.dump(forged, path)
    with pytest.raises(BundleError, match=rf"holds .*\.{function.__name__}, which is no estimator"):
        seqpipe.load(path)


def test_a_damaged_file_is_an_error(path: Path) -> None:
    seqpipe.save(SequenceClassifier(**TINY).fit(X, LABELS), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BundleError, match="cannot be read"):
        seqpipe.load(path)


def test_a_missing_file_is_an_error_of_the_system(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        seqpipe.load(path)
    with pytest.raises(FileNotFoundError, match=r"^The folder '.*nowhere' does not exist"):
        seqpipe.save(SequenceClassifier(**TINY).fit(X, LABELS), path.parent / "nowhere" / "model.skops")


def test_padded_sequences_go_into_an_estimator_of_scikit_learn(path: Path) -> None:
    fitted = PadSequences().fit(X)
    seqpipe.save(fitted, path)
    np.testing.assert_array_equal(seqpipe.load(path).transform(X), fitted.transform(X))


@pytest.mark.parametrize("scoring", ["accuracy", make_scorer(accuracy_score), ["accuracy", "f1_macro"]])
def test_a_search_whose_scores_are_reported_is_saved(tmp_path, scoring):
    refit = "accuracy" if isinstance(scoring, list) else True
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2, scoring=reported(scoring), refit=refit)
    search.fit(X[:, -1], LABELS)
    seqpipe.save(search, tmp_path / "model")
    assert seqpipe.load(tmp_path / "model").score(X[:, -1], LABELS) == search.score(X[:, -1], LABELS)


@pytest.mark.parametrize("kind", ["M8[D]", "m8[s]"])
def test_labels_that_are_dates_or_durations_are_saved(kind: str, path: Path) -> None:
    labels = (np.arange(12) % 2).astype(kind)
    fitted = SequenceClassifier(**TINY).fit(X, labels)
    seqpipe.save(fitted, path)
    np.testing.assert_array_equal(seqpipe.load(path).predict(X), fitted.predict(X))
