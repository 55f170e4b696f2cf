"""The importance of a feature of sequences: how much its permutation costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance as of_columns
from sklearn.metrics import get_scorer

from seqpipe.estimators import SequenceClassifier, StepClassifier
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.inspection import permutation_importance
from seqpipe.sequences import Sequences
from seqpipe.transformers import make_windows

SMALL = {"hidden_size": 3, "max_epochs": 1, "random_state": 0}
rng = np.random.default_rng(0)
RAGGED = [rng.normal(size=(n, 2)) for n in rng.integers(3, 8, size=20)]
CUBE = rng.normal(size=(20, 4, 2))
LABELS = np.arange(20) % 2


class Recorder(BaseEstimator):
    """An estimator that keeps the data that it scores, and scores the correlation of the first feature with y."""

    def fit(self, X: Any, y: Any) -> Recorder:
        return self

    def score(self, X: Any, y: Any) -> float:
        self.__dict__.setdefault("seen", []).append(X)
        means = [x[:, 0].mean() for x in X]
        return float(np.corrcoef(means, y)[0, 1])


def seen_after_the_first(X: Any) -> list[Any]:
    recorder = Recorder()
    permutation_importance(recorder, X, np.arange(len(X)), n_repeats=2, random_state=0)
    return recorder.seen[1:]


def as_multiset(values: Any) -> list[Any]:
    return sorted(np.concatenate([*values]).ravel().tolist())


def test_no_value_of_a_feature_is_lost_or_repeated_and_the_other_features_stay() -> None:
    whole = Sequences.from_arrays(RAGGED)
    for number, X in enumerate(seen_after_the_first(RAGGED)):
        feature = number // 2
        np.testing.assert_array_equal(X.offsets, whole.offsets)
        np.testing.assert_array_equal(X.values[:, 1 - feature], whole.values[:, 1 - feature])
        assert sorted(X.values[:, feature]) == sorted(whole.values[:, feature])
        assert (X.values[:, feature] != whole.values[:, feature]).any()


def test_sequences_of_equal_length_exchange_whole_series() -> None:
    for number, X in enumerate(seen_after_the_first(CUBE)):
        feature = number // 2
        assert isinstance(X, np.ndarray)
        assert X.shape == CUBE.shape
        assert {tuple(series) for series in X[:, :, feature]} == {tuple(series) for series in CUBE[:, :, feature]}


def test_series_of_other_lengths_are_put_one_after_the_other_and_cut_again() -> None:
    X = Sequences.from_arrays([[0.0], [1.0, 2.0], [3.0, 4.0, 5.0]])
    orders = {tuple(found.values[:, 0]) for found in seen_after_the_first(X)}
    assert orders <= {
        (0, 1, 2, 3, 4, 5), (0, 3, 4, 5, 1, 2), (1, 2, 0, 3, 4, 5), (1, 2, 3, 4, 5, 0), (3, 4, 5, 0, 1, 2), (3, 4, 5, 1, 2, 0),
    }  # fmt: skip


def test_a_feature_that_is_constant_in_each_sequence_remains_so() -> None:
    ages = [np.full((len(x), 1), float(i)) for i, x in enumerate(RAGGED)]
    for X in seen_after_the_first(ages):
        assert [len(set(series.ravel())) for series in X] == [1] * len(X)
        assert sorted(series[0, 0] for series in X) == list(range(20))


def test_the_result_is_that_of_scikit_learn_where_it_has_one() -> None:
    """Tables with one time step are sequences of one step: the same permutations give the same importances."""

    class OfSteps(Recorder):
        def score(self, X: Any, y: Any) -> float:
            rows = np.asarray(X).reshape(len(y), -1)
            return float(np.corrcoef(rows[:, 0] + 0.3 * rows[:, 1], y)[0, 1])

    table, y = rng.normal(size=(400, 2)), rng.normal(size=400)
    table[:, 0] += y
    ours = permutation_importance(OfSteps(), table[:, None, :], y, n_repeats=40, random_state=0)
    theirs = of_columns(OfSteps(), table, y, n_repeats=40, random_state=0)
    np.testing.assert_allclose(ours.importances_mean, theirs.importances_mean, atol=0.02)
    assert ours.importances.shape == theirs.importances.shape == (2, 40)
    np.testing.assert_array_equal(ours.importances_std, ours.importances.std(axis=1))


def test_only_the_feature_that_matters_is_important() -> None:
    y = np.array([x[:, 0].mean() for x in RAGGED])
    first, second = permutation_importance(Recorder(), RAGGED, y, random_state=0).importances_mean
    assert (first > 0.5, second) == (True, 0.0)


def test_the_same_random_state_gives_the_same_result() -> None:
    found = [permutation_importance(Recorder(), RAGGED, LABELS, random_state=3).importances for _ in range(2)]
    np.testing.assert_array_equal(*found)


def forms() -> dict[str, Any]:
    windows, _, _ = make_windows(rng.normal(size=(24, 2)), window=4)
    frames = [pd.DataFrame(x, columns=["speed", "load"]) for x in RAGGED]
    return {"list": RAGGED, "Series": pd.Series(RAGGED), "3-D": CUBE, "windows": windows, "frames": frames}


@pytest.mark.parametrize("name", forms())
def test_every_form_of_sequences_is_taken(name: str) -> None:
    X = forms()[name]
    model = SequenceClassifier(**SMALL).fit(X, LABELS)
    found = permutation_importance(model, X, LABELS, n_repeats=1, random_state=0)
    assert found.feature_names == (["speed", "load"] if name == "frames" else ["x0", "x1"])
    assert np.isfinite(found.importances).all()


def test_targets_and_weights_of_steps_take_part() -> None:
    tags = [np.where(x[:, 0] > 0, "up", "down") for x in RAGGED]
    holes = [np.where(np.arange(len(t)) % 2, t, None) for t in tags]
    model = StepClassifier(**SMALL).fit(RAGGED, tags)
    weights: list[NDArray[Any]] = [np.arange(1.0, len(x) + 1) for x in RAGGED]
    for weight in (None, weights):
        found = permutation_importance(
            model, RAGGED, holes, scoring="f1_macro", n_repeats=1, random_state=0, sample_weight=weight
        )
        again = get_scorer("f1_macro")(model, RAGGED, holes, **({} if weight is None else {"sample_weight": weight}))
        assert (found.importances <= again).all()


def test_a_table_and_a_wrong_number_are_refused_with_the_remedy() -> None:
    with pytest.raises(
        InvalidSequencesError, match=r"features of sklearn.inspection.permutation_importance.*X\[:, :, None\]"
    ):
        permutation_importance(Recorder(), CUBE[:, :, 0], LABELS)
    with pytest.raises(InvalidSequencesError, match="'n_repeats' parameter .* at least 1. Got 0"):
        permutation_importance(Recorder(), CUBE, LABELS, n_repeats=0)
