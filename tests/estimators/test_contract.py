"""seqpipe's estimator contract: all types of ragged and three-dimensional input."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import Pipeline

from seqpipe.cells import GRUCell
from seqpipe.estimators import (
    LanguageModel,
    RecurrentEstimator,
    SequenceCaptioner,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTranslator,
    StepClassifier,
    StepRegressor,
)
from seqpipe.sequences import Sequences, Windows
from seqpipe.testing import check_estimator
from seqpipe.transformers import PadSequences, SequenceScaler

TINY = {"hidden_size": 8, "max_epochs": 30, "random_state": 0}
#: A contract is kept, or broken, however well a fit has learnt.
SHORT = {**TINY, "max_epochs": 3}
CASES = {
    "LanguageModel": LanguageModel(**SHORT),
    "LanguageModel, embedding": LanguageModel(
        "lstm", **SHORT, embedding=4, num_layers=2, dropout=0.1, early_stopping=True
    ),
    "SequenceCaptioner": SequenceCaptioner(**SHORT, embedding="one_hot"),
    "SequenceClassifier": SequenceClassifier(**SHORT),
    "SequenceClassifier, mean of both directions": SequenceClassifier(**SHORT, bidirectional=True, pooling="mean"),
    "SequenceClassifier, two layers": SequenceClassifier(**SHORT, num_layers=2, dropout=0.1),
    "SequenceClassifier, float64": SequenceClassifier(**SHORT, dtype="float64"),
    "SequenceRegressor": SequenceRegressor(**SHORT),
    "SequenceRegressor, early stopping": SequenceRegressor(**SHORT, early_stopping=True),
    "SequenceTranslator": SequenceTranslator(**SHORT, source_embedding="one_hot"),
    "SequenceTranslator, a wide beam": SequenceTranslator(**SHORT, beam_width=3),
    "StepClassifier": StepClassifier(**SHORT),
    "StepRegressor, early stopping": StepRegressor(**SHORT, early_stopping=True),
}
#: Of each estimator one case always runs; `make fuzz` runs the others too.
VARIANTS = ("embedding", "mean of both directions", "two layers", "float64", "a wide beam")


@pytest.fixture
def ragged() -> tuple[Sequences, np.ndarray]:
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 12, size=60)]
    return Sequences.from_arrays(X), np.array([int(x[:, 0].mean() > 0) for x in X])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name.endswith(VARIANTS) else ()) for name in CASES]
)
def test_an_estimator_of_sequences_keeps_the_contract(name: str) -> None:
    check_estimator(CASES[name])


def test_every_estimator_with_a_net_has_a_case() -> None:
    covered = {type(case) for case in CASES.values()}
    assert covered == _leaves(RecurrentEstimator)


def _leaves(kind: type) -> set[type]:
    """Return seqpipe's leaf subclasses of a class, without those that other tests define."""
    below = [each for each in kind.__subclasses__() if each.__module__.startswith("seqpipe.")]
    return set().union(*map(_leaves, below)) if below else {kind}


def test_a_grid_over_cells_holds_a_plug_ins_cell_and_runs_in_two_processes(ragged) -> None:
    X, y = ragged
    pipeline = Pipeline([("scale", SequenceScaler()), ("model", SequenceClassifier(**TINY))])
    search = GridSearchCV(pipeline, {"model__cell": ["gru", "mgu"]}, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    assert list(search.cv_results_["param_model__cell"]) == ["gru", "mgu"]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    alone = GridSearchCV(pipeline, {"model__cell": ["gru", "mgu"]}, cv=2, error_score="raise").fit(X, y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


def test_ragged_data_go_through_a_pipeline_that_pads(ragged) -> None:
    X, y = ragged
    train, test, y_train, y_test = train_test_split(X, y, random_state=0)
    pipeline = Pipeline([("pad", PadSequences()), ("model", SequenceClassifier(**TINY))])
    assert pipeline.fit(train, y_train).predict(test).shape == y_test.shape


def test_joblib_dumps_and_loads_a_fitted_estimator(ragged, tmp_path) -> None:
    X, y = ragged
    fitted = SequenceClassifier(**TINY).fit(X, y)
    joblib.dump(fitted, tmp_path / "model.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "model.joblib").predict_proba(X), fitted.predict_proba(X))


def test_a_cell_may_be_a_class(ragged) -> None:
    X, y = ragged
    by_name, by_class = (SequenceClassifier(cell, **TINY).fit(X, y) for cell in ("gru", GRUCell))
    np.testing.assert_array_equal(by_name.predict_proba(X), by_class.predict_proba(X))
    assert clone(by_class).cell is GRUCell


def test_windows_are_samples_of_their_own() -> None:
    series = np.sin(np.arange(300) / 5)[:, None]
    X = Windows(series, np.arange(280), 16)
    y = series[np.arange(280) + 16, 0]
    model = SequenceRegressor(hidden_size=16, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.95
    np.testing.assert_allclose(model.predict(X[:5]), model.predict(np.asarray(X)[:5]), rtol=1e-4, atol=1e-5)


def test_early_stopping_on_windows_holds_out_the_latest_without_shared_targets() -> None:
    from seqpipe.estimators._validation_split import validation_split

    X = Windows(np.zeros((100, 1)), np.arange(80), 16, horizon=4)
    train, valid = validation_split(X, 0.25, seed=0)
    assert valid.tolist() == list(range(60, 80))
    assert X.starts[train].max() + X.horizon <= X.starts[valid].min()


def test_scores_do_not_depend_on_the_container(ragged) -> None:
    X, y = ragged
    classifier = SequenceClassifier(**TINY)
    np.testing.assert_allclose(cross_val_score(classifier, X, y, cv=2), cross_val_score(classifier, list(X), y, cv=2))


def test_a_univariate_ragged_list_may_be_sliced_to_equal_lengths() -> None:
    rng = np.random.default_rng(0)
    X = [rng.normal(size=n) for n in [3, 4, 5] * 5]
    fitted = SequenceRegressor(**TINY).fit(X, [x.sum() for x in X])
    np.testing.assert_allclose(fitted.predict(X[:1]), fitted.predict(X)[:1], rtol=1e-5)


def test_the_estimators_are_scikit_learns(ragged) -> None:
    assert all(issubclass(type(case), BaseEstimator) for case in CASES.values())
