"""Any estimator over the windows of each sequence, with predictions aggregated per sequence."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from seqpipe import SequenceClassifier, Sequences, SequenceScaler, SlidingWindowClassifier, SlidingWindowRegressor
from seqpipe.diagnostics import hidden_states
from seqpipe.exceptions import DataWarning, InvalidSequencesError
from seqpipe.testing.estimators import INPUT_KINDS
from seqpipe.transformers import cut_windows

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(n, 2)) for n in RNG.integers(1, 12, size=60)]
#: Whether a sequence ends higher than it began.
LABELS = np.array(["up" if x[-1, 0] > x[0, 0] else "down" for x in X])
#: A moving sum of three steps.
SUMS = [np.convolve(x[:, 0], np.ones(3))[: len(x)] for x in X]
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)


def windows_of(**given: Any) -> tuple[np.ndarray, np.ndarray]:
    windows = cut_windows(X, **given)
    return np.asarray(windows).reshape(len(windows), -1), windows.series


def test_the_mean_is_that_of_the_windows_probabilities() -> None:
    model = SlidingWindowClassifier(TREE, window=3, stride=2).fit(X, LABELS)
    table, series = windows_of(window=3, stride=2)
    own = clone(TREE).fit(table, LABELS[series]).predict_proba(table)
    expected = np.array([own[series == i].mean(axis=0) for i in range(len(X))])
    np.testing.assert_allclose(model.predict_proba(X), expected)
    assert (model.predict(X) == model.classes_[expected.argmax(axis=1)]).all()


def test_the_last_window_answers_alone() -> None:
    model = SlidingWindowClassifier(TREE, window=3, aggregate="last").fit(X, LABELS)
    last = [x[-3:] if len(x) >= 3 else np.concatenate([np.zeros((3 - len(x), 2)), x]) for x in X]
    np.testing.assert_array_equal(model.predict_proba(X), model.estimator_.predict_proba(np.reshape(last, (len(X), 6))))


def test_a_callable_joins_what_the_windows_say() -> None:
    model = SlidingWindowClassifier(TREE, window=2, aggregate=lambda p: p.max(axis=0) / p.max(axis=0).sum())
    found = model.fit(X, LABELS).predict_proba(X)
    table, series = windows_of(window=2)
    own = model.estimator_.predict_proba(table)[series == 5].max(axis=0)
    np.testing.assert_allclose(found[5], own / own.sum())


def test_a_callable_that_gives_another_shape_is_refused() -> None:
    model = SlidingWindowClassifier(TREE, window=2, aggregate=lambda p: p.max()).fit(X, LABELS)
    with pytest.raises(
        ValueError, match=r"'aggregate' parameter of SlidingWindowClassifier must map .* to shape \(2,\)"
    ):
        model.predict(X)


def test_a_classifier_without_probabilities_votes() -> None:
    model = SlidingWindowClassifier(LinearSVC(), window=2).fit(X, LABELS)
    assert not hasattr(model, "predict_proba")
    table, series = windows_of(window=2)
    own = model.estimator_.predict(table) == "up"
    shares = np.array([own[series == i].mean() for i in range(len(X))])
    clear = shares != 0.5
    assert ((model.predict(X) == "up") == (shares > 0.5))[clear].all()


def test_the_predictions_of_a_regressor_are_joined_in_the_same_ways() -> None:
    y = np.array([x[:, 0].sum() for x in X])
    table, series = windows_of(window=4)
    own = LinearRegression().fit(table, y[series]).predict(table)
    for aggregate, join in {"mean": np.mean, "last": lambda v: v[-1], np.median: np.median}.items():
        model = SlidingWindowRegressor(LinearRegression(), window=4, aggregate=aggregate).fit(X, y)
        np.testing.assert_allclose(model.predict(X), [join(own[series == i]) for i in range(len(X))])
    two = SlidingWindowRegressor(LinearRegression(), window=4).fit(X, np.stack([y, 2 * y], axis=1)).predict(X)
    np.testing.assert_allclose(two[:, 1], 2 * two[:, 0])


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_windows_that_are_put_together_predict_every_step(stride: int) -> None:
    model = SlidingWindowRegressor(LinearRegression(), window=5, stride=stride, aggregate="concat").fit(X, SUMS)
    predicted = model.predict(X)
    assert [len(each) for each in predicted] == [len(x) for x in X]
    assert model.score(X, SUMS) > 0.99
    alone = [model.predict([x])[0] for x in X]
    np.testing.assert_allclose(np.concatenate(alone), np.concatenate(predicted))


def test_each_step_keeps_its_own_target() -> None:
    nearest = KNeighborsRegressor(n_neighbors=1)
    model = SlidingWindowRegressor(nearest, window=4, stride=4, aggregate="concat").fit(X, SUMS)
    np.testing.assert_array_equal(np.concatenate(model.predict(X)), np.concatenate(SUMS))
    twins = [np.stack([each, -each], axis=1) for each in SUMS]
    model.fit(X, Sequences.from_arrays(twins))
    assert isinstance(model.predict(X), Sequences)
    np.testing.assert_array_equal(model.predict(X).values, np.concatenate(twins))


def test_labels_of_steps_come_in_the_form_of_the_targets() -> None:
    labels = [np.where(each > 0, "high", "low") for each in SUMS]
    model = SlidingWindowClassifier(LogisticRegression(), window=3, aggregate="concat").fit(X, labels)
    assert model.score(X, labels) > 0.95
    assert [len(each) for each in model.predict(X)] == [len(x) for x in X]
    assert [each.shape for each in model.predict_proba(X)] == [(len(x), 2) for x in X]
    votes = SlidingWindowClassifier(LinearSVC(), window=3, aggregate="concat").fit(X, labels)
    assert set(np.concatenate(votes.predict(X))) == {"high", "low"}


def test_a_search_chooses_window_and_aggregation_inside_a_pipeline() -> None:
    y = [float(x[-2:, 0].sum()) for x in X]
    pipeline = Pipeline([("scale", SequenceScaler()), ("model", SlidingWindowRegressor(LinearRegression()))])
    grid = {"model__window": [1, 2], "model__aggregate": ["mean", "last"], "model__estimator__fit_intercept": [True]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, y)
    assert search.best_params_["model__window"] == 2
    assert search.best_params_["model__aggregate"] == "last"


def test_scores_of_steps_are_cross_validated() -> None:
    by_step = SlidingWindowClassifier(LogisticRegression(), window=3, aggregate="concat")
    assert not is_classifier(by_step)
    assert is_classifier(by_step.set_params(aggregate="mean"))
    labels = [np.where(each > 0, 1, 0) for each in SUMS]
    assert cross_val_score(by_step.set_params(aggregate="concat"), X, labels, cv=2).min() > 0.8


def test_every_way_to_write_sequences_gives_the_same() -> None:
    model = SlidingWindowClassifier(TREE, window=3).fit(X, LABELS)
    for make in INPUT_KINDS.values():
        np.testing.assert_array_equal(model.predict_proba(make(X)), model.predict_proba(X))
        again = clone(model).fit(make(X), pd.Series(LABELS))
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_the_data_stay_as_they_are() -> None:
    X_before, y_before = copy.deepcopy(X), LABELS.copy()
    SlidingWindowClassifier(TREE, window=3).fit(X_before, y_before).predict(X_before)
    assert all(np.array_equal(a, b) for a, b in zip(X, X_before))
    assert (y_before == LABELS).all()


def test_weights_reach_the_windows_and_zero_is_absence() -> None:
    weight = np.arange(len(X)) % 3.0
    kept = np.flatnonzero(weight)
    some = [X[i] for i in kept]
    for aggregate, y in (("mean", LABELS), ("concat", [np.where(each > 0, 1, 0) for each in SUMS])):
        model = SlidingWindowClassifier(TREE, window=3, aggregate=aggregate).fit(X, y, sample_weight=weight)
        part = y[kept] if aggregate == "mean" else [y[i] for i in kept]
        expected = clone(model).fit(some, part, sample_weight=weight[kept])
        np.testing.assert_array_equal(
            np.concatenate([*model.predict_proba(X)]), np.concatenate([*expected.predict_proba(X)])
        )
        assert model.score(X, y, weight) == pytest.approx(model.score(some, part, weight[kept]))


def test_a_recurrent_network_inside_gets_windows_and_is_looked_into() -> None:
    inside = SequenceClassifier(hidden_size=4, max_epochs=1, random_state=0)
    model = SlidingWindowClassifier(inside, window=3).fit(X, LABELS)
    assert model.estimator_.n_features_in_ == 2
    assert hidden_states(model, X, LABELS).values[0].shape == (3, 4)


def test_a_standard_network_reads_windows_that_a_table_could_not_hold() -> None:
    network = MLPClassifier((16,), solver="lbfgs", max_iter=2000, random_state=0)
    y = np.array(["up" if x[:, 0].sum() > 0 else "down" for x in X])
    assert SlidingWindowClassifier(network, window=4, stride=4).fit(X, y).score(X, y) > 0.9


def test_unseen_labels_in_a_score_are_told() -> None:
    model = SlidingWindowClassifier(TREE, window=3).fit(X, LABELS)
    with pytest.warns(DataWarning, match=r"SlidingWindowClassifier has not seen in fit.*\['left'\]"):
        assert model.score(X[:2], ["left", "left"]) == 0


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        (SlidingWindowClassifier(TREE), None, "SlidingWindowClassifier estimator requires y to be passed"),
        (SlidingWindowClassifier(TREE), SUMS, "set aggregate='concat' to predict at each time step"),
        (SlidingWindowClassifier(TREE), LABELS[1:], "inconsistent numbers of samples"),
        (SlidingWindowClassifier(TREE, aggregate="concat"), SUMS[1:], "inconsistent numbers of samples"),
        (SlidingWindowClassifier(TREE, aggregate="concat", stride=2), SUMS, "must be 1 with aggregate='concat'"),
        (SlidingWindowRegressor(TREE, window=2, aggregate="concat", stride=3), SUMS, "must be at most window=2"),
        (SlidingWindowRegressor(TREE, aggregate="concat"), [each[1:] for each in SUMS], "y has .* steps, but X has"),
        (SlidingWindowClassifier(TREE, aggregate="median"), LABELS, "'aggregate' parameter of SlidingWindowClassifier"),
        (SlidingWindowRegressor(None), LABELS, "'estimator' parameter of SlidingWindowRegressor"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_fit(model: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def test_a_hole_in_the_data_is_named() -> None:
    hole = copy.deepcopy(X)
    hole[7][0, 1] = np.nan
    with pytest.raises(InvalidSequencesError, match="sample 7, step 0, feature 1"):
        SlidingWindowClassifier(TREE).fit(hole, LABELS)


def test_weights_for_an_estimator_that_takes_none_are_refused() -> None:
    model = SlidingWindowRegressor(KNeighborsRegressor(), window=2)
    with pytest.raises(ValueError, match="KNeighborsRegressor does not support it. Omit sample_weight"):
        model.fit(X, [each.sum() for each in SUMS], sample_weight=np.ones(len(X)))


def test_a_pipeline_inside_scales_the_windows() -> None:
    inside = Pipeline([("scale", StandardScaler()), ("model", DummyRegressor())])
    model = SlidingWindowRegressor(inside, window=2).fit(X, [each.sum() for each in SUMS])
    assert len(np.unique(model.predict(X))) == 1
