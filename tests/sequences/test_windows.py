"""Windows: lazy views of a series that scikit-learn can split."""

import pickle

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Windows

SERIES = np.arange(20.0).reshape(10, 2)


def flat(X):
    return np.asarray(X).reshape(len(X), -1)


@given(st.lists(st.integers(0, 7), max_size=6))
def test_the_array_of_windows_is_made_of_the_rows_from_each_start(starts):
    X = Windows(SERIES, starts, 3)
    assert X.shape == np.asarray(X).shape == (len(starts), 3, 2)
    for i, start in enumerate(starts):
        assert np.array_equal(X[i], SERIES[start : start + 3])
        assert np.array_equal(np.asarray(X)[i], X[i])


def test_indexing_selects_starts_and_shares_the_series():
    X = Windows(SERIES, [0, 2, 4], 3, horizon=2, feature_names=["a", "b"])
    part = X[np.array([2, 0])]
    assert part.starts.tolist() == [4, 0]
    assert part.base is X.base
    assert (part.horizon, part.feature_names) == (2, ("a", "b"))
    assert X[[1], ...].starts.tolist() == [2]
    assert np.array_equal(X[0, 1], SERIES[1])
    assert len(list(X)) == 3


def test_the_rows_are_those_that_a_window_covers():
    assert Windows(SERIES, [6, 0], 2).rows.tolist() == [0, 1, 6, 7]
    assert Windows(SERIES, [], 2).rows.tolist() == []


def test_a_batch_is_gathered_without_lengths():
    batch, lengths = Windows(SERIES, [0, 2, 4], 3).gather(np.array([2, 2]))
    assert lengths is None
    assert np.array_equal(batch, [SERIES[4:7], SERIES[4:7]])


def test_the_first_target_stands_after_the_window_or_at_its_end():
    assert Windows(SERIES, [0, 4], 3, horizon=2).first_target_rows.tolist() == [3, 7]
    assert Windows(SERIES, [0, 4], 3, horizon=0).first_target_rows.tolist() == [2, 6]


def test_each_window_knows_its_series():
    assert Windows(SERIES, [0, 2, 4, 8], 2, offsets=[0, 4, 4, 10]).series.tolist() == [0, 0, 2, 2]


@pytest.mark.parametrize(
    ("starts", "offsets", "message"),
    [
        ([0, 8], None, "window of 3 rows from row 8 extends beyond its series, which ends at row 10"),
        ([-1], None, "from row -1"),
        ([99], None, "from row 99"),
        ([0, 3], [0, 5, 10], "from row 3 extends beyond its series, which ends at row 5"),
        ([0], [0, 5], "must start at 0 and end at the number of steps, 10"),
    ],
)
def test_a_window_that_leaves_its_series_is_refused(starts, offsets, message):
    with pytest.raises(InvalidSequencesError, match=message):
        Windows(SERIES, starts, 3, offsets=offsets)


def test_sizes_and_names_that_make_no_sense_are_refused():
    with pytest.raises(InvalidSequencesError, match="window must be at least 1 and horizon 0, got 0 and 1"):
        Windows(SERIES, [0], 0)
    with pytest.raises(InvalidSequencesError, match="1 feature names for 2 features"):
        Windows(SERIES, [0], 2, feature_names=["a"])


def test_another_type_or_series_keeps_the_windows():
    X = Windows(SERIES, [0, 6], 2, horizon=3, offsets=[0, 5, 10])
    assert X.astype("f4").dtype == np.float32
    assert X.astype("f8").base is X.base
    moved = X.with_base(SERIES + 1)
    assert np.array_equal(np.asarray(moved), np.asarray(X) + 1)
    assert (moved.horizon, moved.offsets.tolist()) == (3, [0, 5, 10])


def test_pickles_hold_the_series_once():
    series = np.zeros((5_000, 1))
    X = Windows(series, np.arange(4_900), 100)
    data = pickle.dumps(X)
    assert len(data) < 2 * series.nbytes + 2_000
    assert joblib.hash(pickle.loads(data)) == joblib.hash(X)


def test_scikit_learn_splits_and_scores_windows():
    rng = np.random.default_rng(0)
    X = Windows(rng.normal(size=(60, 2)), np.arange(50), 4)
    y = np.asarray(X).sum(axis=(1, 2))
    X_train, X_test, _, y_test = train_test_split(X, y, shuffle=False)
    assert isinstance(X_train, Windows)
    assert len(X_test) == len(y_test)
    model = make_pipeline(FunctionTransformer(flat), Ridge(alpha=1e-6))
    assert cross_val_score(model, X, y, cv=KFold(3)).min() > 0.99


def test_the_repr_tells_the_sizes():
    assert repr(Windows(SERIES, [0], 3)) == "Windows(n_samples=1, window=3, n_features=2, dtype=float64)"


def test_windows_over_a_base_of_another_width_lose_their_names() -> None:
    windows = Windows(np.zeros((6, 2)), [0, 1], 3, feature_names=["a", "b"])
    assert windows.with_base(np.ones((6, 2))).feature_names == ("a", "b")
    assert windows.with_base(np.ones((6, 3))).feature_names is None
