"""scikit-learn's scorers and cross-validation over targets at every time step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    fbeta_score,
    get_scorer,
    log_loss,
    make_scorer,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import seqpipe
from seqpipe.estimators import SlidingWindowClassifier, StepClassifier, StepRegressor
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences
from seqpipe.transformers import SequenceScaler

SMALL = {"hidden_size": 5, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, size=18)]
TOTALS = [x[:, 0].cumsum() for x in X]
TAGS = [np.where(x[:, 0] > 0.3, "N", np.where(x[:, 0] < -0.3, "A", "V")) for x in X]
CUBE = rng.normal(size=(12, 4, 1))
CUBE_TOTALS = CUBE[:, :, 0].cumsum(axis=1)
FOLDS = KFold(3)


def flat(values: Any) -> NDArray[Any]:
    return np.concatenate([*values])


def as_objects(arrays: list[Any]) -> NDArray[Any]:
    out = np.empty(len(arrays), dtype=object)
    out[:] = arrays
    return out


@pytest.fixture(scope="module")
def classifier() -> StepClassifier:
    return StepClassifier(**SMALL).fit(X, TAGS)


@pytest.fixture(scope="module")
def regressor() -> StepRegressor:
    return StepRegressor(**SMALL).fit(X, TOTALS)


# ---- scorers


BY_LABEL = {
    "accuracy": accuracy_score,
    "f1_macro": lambda y, p: f1_score(y, p, average="macro"),
    "f1_micro": lambda y, p: f1_score(y, p, average="micro"),
}
BY_NUMBER = {
    "r2": r2_score,
    "neg_mean_absolute_error": lambda y, p: -mean_absolute_error(y, p),
    "neg_root_mean_squared_error": lambda y, p: -(mean_squared_error(y, p) ** 0.5),
}


@pytest.mark.parametrize("make", [list, as_objects, pd.Series], ids=["list", "objects", "Series"])
@pytest.mark.parametrize("name", BY_LABEL)
def test_a_score_of_labels_by_its_name_is_over_all_steps(classifier: StepClassifier, name: str, make: Any) -> None:
    expected = BY_LABEL[name](flat(TAGS), flat(classifier.predict(X)))
    assert get_scorer(name)(classifier, X, make(TAGS)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("make", [list, as_objects, Sequences.from_arrays], ids=["list", "objects", "Sequences"])
@pytest.mark.parametrize("name", BY_NUMBER)
def test_a_score_of_numbers_by_its_name_is_over_all_steps(regressor: StepRegressor, name: str, make: Any) -> None:
    expected = BY_NUMBER[name](flat(TOTALS), flat(regressor.predict(X)))
    assert get_scorer(name)(regressor, X, make(TOTALS)) == pytest.approx(expected, rel=1e-12)


def test_a_score_of_probabilities_is_over_all_steps(classifier: StepClassifier) -> None:
    proba = flat(classifier.predict_proba(X))
    assert get_scorer("neg_log_loss")(classifier, X, TAGS) == pytest.approx(-log_loss(flat(TAGS), proba))
    expected = roc_auc_score(flat(TAGS), proba, multi_class="ovr")
    assert get_scorer("roc_auc_ovr")(classifier, X, TAGS) == pytest.approx(expected)


def test_a_scorer_that_the_user_made_is_over_all_steps(classifier: StepClassifier) -> None:
    scorer = make_scorer(fbeta_score, beta=2, average="weighted", pos_label=None)
    expected = fbeta_score(flat(TAGS), flat(classifier.predict(X)), beta=2, average="weighted")
    assert scorer(classifier, X, TAGS) == pytest.approx(expected)


def test_padded_targets_are_steps_not_outputs() -> None:
    regressor = StepRegressor(**SMALL).fit(CUBE, CUBE_TOTALS)
    assert get_scorer("r2")(regressor, CUBE, CUBE_TOTALS) == regressor.score(CUBE, CUBE_TOTALS)
    tags = CUBE_TOTALS > 0
    classifier = StepClassifier(**SMALL).fit(CUBE, tags)
    assert get_scorer("accuracy")(classifier, CUBE, tags) == classifier.score(CUBE, tags)


def test_unknown_steps_and_weights_count_in_a_score_as_they_do_in_the_estimators_own(regressor: StepRegressor) -> None:
    holes = [np.where(np.arange(len(t)) % 2, np.nan, t) for t in TOTALS]
    assert get_scorer("r2")(regressor, X, holes) == pytest.approx(regressor.score(X, holes), rel=1e-12)
    for weight in (rng.uniform(size=len(X)), [rng.uniform(size=len(x)) for x in X]):
        expected = regressor.score(X, holes, sample_weight=weight)
        assert get_scorer("r2")(regressor, X, holes, sample_weight=weight) == pytest.approx(expected, rel=1e-12)


def test_misaligned_and_unknown_truth_is_refused_by_a_scorer(regressor: StepRegressor) -> None:
    with pytest.raises(InvalidSequencesError, match=r"y has \d steps, but X has \d in sample 0"):
        get_scorer("r2")(regressor, X, [t[1:] for t in TOTALS])
    with pytest.raises(ValueError, match="no target at any scored time step"):
        get_scorer("r2")(regressor, X, [t * np.nan for t in TOTALS])


def test_estimators_of_one_target_a_sequence_are_scored_as_ever() -> None:
    model = LogisticRegression().fit(CUBE[:, :, 0], CUBE_TOTALS[:, -1] > 0)
    predicted = model.predict(CUBE[:, :, 0])
    assert get_scorer("f1")(model, CUBE[:, :, 0], CUBE_TOTALS[:, -1] > 0) == f1_score(CUBE_TOTALS[:, -1] > 0, predicted)


# ---- cross-validation


@pytest.mark.parametrize("name", ["accuracy", "f1_macro"])
def test_cross_validation_by_the_name_of_a_score_gives_that_of_each_fold(name: str) -> None:
    model = make_pipeline(SequenceScaler(), StepClassifier(**SMALL))
    found = cross_val_score(model, X, TAGS, cv=FOLDS, scoring=name, error_score="raise")
    for (train, test), score in zip(FOLDS.split(X), found, strict=True):
        fitted = clone(model).fit([X[i] for i in train], [TAGS[i] for i in train])
        expected = BY_LABEL[name](flat(TAGS[i] for i in test), flat(fitted.predict([X[i] for i in test])))
        assert score == pytest.approx(expected)


def test_several_scores_at_once_are_each_what_they_are_alone() -> None:
    names = ["accuracy", "f1_macro", "neg_log_loss"]
    both = cross_validate(StepClassifier(**SMALL), X, TAGS, cv=FOLDS, scoring=names, error_score="raise")
    for name in names:
        alone = cross_val_score(StepClassifier(**SMALL), X, TAGS, cv=FOLDS, scoring=name)
        np.testing.assert_array_equal(both[f"test_{name}"], alone)


def test_searches_and_curves_take_scores_by_name() -> None:
    search = GridSearchCV(
        StepClassifier(**SMALL), {"hidden_size": [2, 4]}, cv=2, scoring="f1_macro", error_score="raise"
    )
    search.fit(X, TAGS)
    assert 0 < search.best_score_ < 1
    assert get_scorer("accuracy")(search, X, TAGS) == accuracy_score(flat(TAGS), flat(search.predict(X)))
    _, _, scores = learning_curve(
        StepRegressor(**SMALL), X, TOTALS, cv=2, train_sizes=[1.0], scoring="r2", error_score="raise"
    )
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("kind", [StepClassifier, StepRegressor])
def test_scikit_learns_cross_val_predict_gives_ragged_answers_in_the_datas_order(kind: type[Any]) -> None:
    y = TAGS if kind is StepClassifier else TOTALS
    shuffled = KFold(3, shuffle=True, random_state=0)
    found = cross_val_predict(kind(**SMALL), X, y, cv=shuffled)
    assert [*map(len, found)] == [*map(len, X)]
    for train, test in shuffled.split(X):
        fitted = kind(**SMALL).fit([X[i] for i in train], [y[i] for i in train])
        np.testing.assert_array_equal(flat(found[test]), flat(fitted.predict([X[i] for i in test])))
    np.testing.assert_array_equal(flat(seqpipe.cross_val_predict(kind(**SMALL), X, y, cv=shuffled)), flat(found))


def test_cross_validated_probabilities_have_a_column_for_every_label() -> None:
    rare = [*TAGS[:-1], np.full(len(X[-1]), "Z")]  # in one sequence only, which one fold does not train on
    found = seqpipe.cross_val_predict(StepClassifier(**SMALL), X, rare, cv=3, method="predict_proba")
    assert [part.shape for part in found] == [(len(x), 4) for x in X]
    np.testing.assert_allclose(flat(found).sum(axis=1), 1, rtol=1e-5)
    assert (found[-1][:, 3] == 0).all()
    assert (found[0][:, 3] > 0).all()


def test_cross_validated_answers_take_weights_and_holes() -> None:
    weights = [np.ones(len(x)) for x in X]
    holes = [np.where(np.arange(len(t)) % 2, np.nan, t) for t in TOTALS]
    found = seqpipe.cross_val_predict(StepRegressor(**SMALL), X, holes, cv=2, params={"sample_weight": weights})
    assert np.isfinite(flat(found)).all()


def test_cross_validated_answers_are_of_estimators_of_steps_and_of_partitions() -> None:
    with pytest.raises(ValueError, match=r"use sklearn\.model_selection\.cross_val_predict"):
        seqpipe.cross_val_predict(LogisticRegression(), CUBE[:, :, 0], CUBE_TOTALS[:, -1] > 0)
    with pytest.raises(ValueError, match="each sequence in exactly one test set"):
        seqpipe.cross_val_predict(StepRegressor(**SMALL), X, TOTALS, cv=[(np.arange(9), np.arange(9))])


def test_a_sliding_window_classifier_of_steps_is_scored_by_name_too() -> None:
    model = SlidingWindowClassifier(DecisionTreeClassifier(max_depth=2, random_state=0), window=2, aggregate="concat")
    assert cross_val_score(model, X, TAGS, cv=2, scoring="f1_macro", error_score="raise").min() > 0.5
