"""Multi-label targets: any number of labels per sequence, and per time step."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_score
from sklearn.utils import get_tags

from seqpipe import SequenceClassifier, StepClassifier
from seqpipe.estimators.targets import MultiLabels

TINY = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


def ragged(n: int = 80, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, 3)).astype(np.float32) for length in rng.integers(4, 12, size=n)]


def labels_of(X: list[np.ndarray]) -> np.ndarray:
    """Return 1 where the mean of a feature is positive."""
    return np.array([(x.mean(axis=0) > 0).astype(int) for x in X])


def labels_at(X: list[np.ndarray]) -> list[np.ndarray]:
    """Return 1 at each step where the sum of a feature so far is positive."""
    return [(x.cumsum(axis=0) > 0).astype(int) for x in X]


def test_every_label_of_a_sequence_is_learned() -> None:
    X = ragged()
    y = labels_of(X)
    model = SequenceClassifier(hidden_size=16, max_epochs=60, random_state=0).fit(X, y)
    predicted, probabilities = model.predict(X), model.predict_proba(X)
    assert (predicted.shape, predicted.dtype, probabilities.shape) == (y.shape, np.int64, y.shape)
    assert f1_score(y, predicted, average="macro") > 0.95
    assert_array_equal(predicted, (probabilities > 0.5).astype(int))
    assert model.score(X, y) == (predicted == y).all(axis=1).mean()
    assert [each.tolist() for each in model.classes_] == [[0, 1]] * 3


def test_every_label_of_a_time_step_is_learned() -> None:
    X = ragged()
    y = labels_at(X)
    model = StepClassifier(hidden_size=16, max_epochs=80, random_state=0).fit(X, y)
    predicted, probabilities = model.predict(X), model.predict_proba(X)
    assert [p.shape for p in predicted] == [p.shape for p in probabilities] == [each.shape for each in y]
    assert f1_score(np.concatenate(y), np.concatenate(predicted), average="macro") > 0.9
    right = (np.concatenate(predicted) == np.concatenate(y)).all(axis=1)
    assert model.score(X, y) == right.mean()


def test_targets_of_any_form_give_the_same_model() -> None:
    X = ragged(12)
    y = labels_of(X)
    expected = SequenceClassifier(**TINY).fit(X, y).predict_proba(X)
    forms = [y.tolist(), list(y), y.astype(bool), y.astype(float), pd.DataFrame(y, columns=list("abc")), csr_array(y)]
    for form in forms:
        assert_array_equal(SequenceClassifier(**TINY).fit(X, form).predict_proba(X), expected)


def test_targets_of_time_steps_of_any_form_give_the_same_model() -> None:
    X = np.stack([x[:4] for x in ragged(12)])
    y = (X.cumsum(axis=1) > 0).astype(int)
    as_array = StepClassifier(**TINY).fit(X, y)
    as_lists = StepClassifier(**TINY).fit(X, y.tolist())
    assert as_array.predict(X).shape == y.shape
    assert_array_equal(np.stack([*as_lists.predict_proba(X)]), as_array.predict_proba(X))


def test_time_steps_without_labels_take_no_part() -> None:
    X = ragged(20)
    known = [each.astype(float) for each in labels_at(X)]
    for each in known:
        each[::2] = np.nan
    short = [x.copy() for x in X]
    model = StepClassifier(**TINY).fit(short, known)
    assert len(model.predict(X)[0]) == len(X[0])
    partly = [each.copy() for each in known]
    partly[3][1, 0] = np.nan
    with pytest.raises(ValueError, match="some outputs of a step, but not in all: sample 3, step 1"):
        StepClassifier(**TINY).fit(short, partly)


@pytest.mark.parametrize("kind", [SequenceClassifier, StepClassifier])
def test_a_weight_of_a_label_that_applies_makes_it_more_probable(kind: Any) -> None:
    X = ragged(40)
    y: Any = labels_of(X) if kind is SequenceClassifier else labels_at(X)
    plain = kind(**TINY).fit(X, y)
    heavy = kind(**TINY, class_weight=[{1: 9.0}, {}, {0: 9.0}]).fit(X, y)
    before, after = (np.vstack([*model.predict_proba(X)]).mean(axis=0) for model in (plain, heavy))
    assert after[0] > before[0]
    assert after[2] < before[2]


def test_balanced_weights_are_the_inverse_frequencies_of_each_label() -> None:
    y = np.array([[0, 1], [0, 1], [0, 0], [1, 1]])
    codec = MultiLabels(2, 2).weighted("balanced", y, None, owner="Model")
    written = MultiLabels(2, 2).weighted([{0: 4 / 6, 1: 4 / 2}, {0: 4 / 2, 1: 4 / 6}], y, None, owner="Model")
    assert codec.weights is not None
    assert_allclose(codec.weights, written.weights)
    assert_allclose((np.where(y, codec.weights[1], codec.weights[0])).mean(), 1.0)
    doubled = MultiLabels(2, 2).weighted("balanced", y, np.array([1.0, 1.0, 1.0, 2.0]), owner="Model")
    repeated = MultiLabels(2, 2).weighted("balanced", np.vstack([y, y[3:]]), None, owner="Model")
    assert_allclose(doubled.weights, repeated.weights)


@pytest.mark.parametrize("weight", [None, [{0: 1.0, 1: 3.0}, {1: 0.5}, {0: 2.0}]])
def test_the_loss_is_the_weighted_cross_entropy_of_all_labels(weight: Any) -> None:
    X = ragged(30)
    y = labels_of(X)
    model = SequenceClassifier(**TINY | {"dtype": "float64", "max_epochs": 1, "batch_size": 30, "lr": 1e-30})
    model.set_params(class_weight=weight, lr_schedule=None).fit(X, y)
    p = model.predict_proba(X)
    given = np.array([[each.get(value, 1.0) for each in weight or [{}] * 3] for value in (0, 1)])
    weights = np.where(y, given[1], given[0])
    entropy = -np.where(y, np.log(p), np.log(1 - p))
    assert_allclose(model.history_[0]["train_loss"], (weights * entropy).mean() / weights.mean())


def test_a_weight_of_zero_leaves_a_sequence_out() -> None:
    X = ragged(30)
    y = labels_of(X)
    weight = np.r_[np.zeros(10), np.ones(20)]
    whole = SequenceClassifier(**TINY).fit(X, y, weight)
    part = SequenceClassifier(**TINY).fit(X[10:], y[10:])
    assert_allclose(whole.predict_proba(X), part.predict_proba(X), rtol=1e-5)


def test_training_goes_on_with_the_same_labels_alone() -> None:
    X = ragged(20)
    y = labels_of(X)
    model = SequenceClassifier(**TINY).partial_fit(X, y)
    model.partial_fit(X, y)
    with pytest.raises(ValueError, match="but had 3 columns in the previous fit"):
        model.partial_fit(X, y[:, :2])
    with pytest.raises(ValueError, match="multi-label targets and expects y of shape"):
        model.partial_fit(X, y[:, 0])


@pytest.mark.parametrize("scoring", ["f1_macro", "roc_auc", "accuracy", "average_precision", None])
@pytest.mark.parametrize("kind", [SequenceClassifier, StepClassifier])
def test_scores_of_scikit_learn_by_name(kind: Any, scoring: str | None) -> None:
    X = ragged(30)
    y: Any = labels_of(X) if kind is SequenceClassifier else labels_at(X)
    assert np.isfinite(cross_val_score(kind(**TINY), X, y, cv=2, scoring=scoring)).all()


@pytest.mark.parametrize("kind", [SequenceClassifier, StepClassifier])
def test_a_model_is_the_same_after_it_was_kept(kind: Any) -> None:
    X = ragged(20)
    y: Any = labels_of(X) if kind is SequenceClassifier else labels_at(X)
    model = kind(**TINY, class_weight="balanced").fit(X, y)
    written = skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=written)
    for again in (pickle.loads(pickle.dumps(model)), skops.io.loads(written, trusted=trusted)):
        for a, b in zip(again.predict_proba(X), model.predict_proba(X)):
            assert_array_equal(a, b)


def test_a_state_with_targets_of_another_kind_is_refused() -> None:
    X = ragged(20)
    model = SequenceClassifier(**TINY).fit(X, labels_of(X))
    other = SequenceClassifier(**TINY).fit(X, labels_of(X)[:, 0])
    for codec in (other._codec, None, "labels"):
        state = {**model.__getstate__(), "_codec": codec}
        with pytest.raises(ValueError, match="no target codec that matches its network"):
            clone(model).__setstate__(state)


def test_a_stream_gives_the_labels_so_far() -> None:
    X = ragged(20)
    model = SequenceClassifier(**TINY).fit(X, labels_of(X))
    stream = model.stream(method="predict_proba")
    for step in X[0]:
        so_far = stream.push(step)
    assert_allclose(so_far, model.predict_proba(X[:1])[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("y", "params", "match"),
    [
        ([[0, 1], [2, 0]], {}, r"multi-label targets must be 0 or 1. Got 2 in row 1, column 0 \(1 in total\)"),
        ([[0, 1], [0.5, 0]], {}, r"Got 0.5 in row 1, column 0"),
        ([[0, 1], [np.nan, 0]], {}, "Input y contains NaN: sample 1"),
        ([["a", "b"], ["b", "a"]], {}, "y must hold real numbers"),
        ([[0, 1], [1, 0]], {"class_weight": {0: 1, 1: 2}}, "list of 2 dicts for 2 labels"),
        ([[0, 1], [1, 0]], {"class_weight": [{0: 1}]}, "list of 2 dicts for 2 labels"),
        ([[0, 1], [1, 0]], {"class_weight": [{0: 0}, {}]}, "must have finite weights above 0"),
        ([0, 1], {"class_weight": [{0: 1}, {}]}, "a list is for multi-label targets"),
    ],
)
def test_wrong_labels_and_weights_are_told(y: Any, params: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        SequenceClassifier(**TINY, **params).fit(ragged(2), y)


def test_scikit_learn_is_told() -> None:
    assert get_tags(SequenceClassifier()).classifier_tags.multi_label
