"""make_windows: every window once, with its own targets, and no copy of the series."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences
from seqpipe.transformers import make_windows

sizes = st.fixed_dictionaries({"window": st.integers(1, 5), "horizon": st.integers(0, 4), "stride": st.integers(1, 4)})


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), sizes, st.integers(1, 2), st.integers(1, 2))
def test_windows_and_targets_are_what_a_loop_over_each_series_finds(lengths, size, n_features, n_targets):
    window, horizon, stride = size["window"], size["horizon"], size["stride"]
    assume(min(lengths) >= window + horizon)
    rng = np.random.default_rng(0)
    X = Sequences(rng.normal(size=(sum(lengths), n_features)), np.cumsum([0, *lengths]))
    Y = rng.normal(size=(sum(lengths), n_targets))
    windows, targets, starts = make_windows(X, Y, **size)
    expected = [
        begin + i
        for begin, length in zip(X.offsets, lengths, strict=False)
        for i in range(0, length - window - horizon + 1, stride)
    ]
    assert starts.tolist() == windows.starts.tolist() == expected
    for i, start in enumerate(expected):
        assert np.array_equal(windows[i], X.values[start : start + window])
        rows = Y[start + window : start + window + horizon] if horizon else Y[start + window - 1 : start + window]
        assert np.array_equal(targets[i], rows.ravel())


@pytest.mark.parametrize(
    ("n_columns", "horizon", "shape"), [(1, 1, (7,)), (1, 2, (6, 2)), (3, 1, (7, 3)), (3, 2, (6, 6))]
)
def test_without_targets_the_series_is_its_own(n_columns, horizon, shape):
    X = np.arange(10.0 * n_columns).reshape(10, n_columns)
    _, targets, _ = make_windows(X, window=3, horizon=horizon)
    assert targets.shape == shape
    assert np.array_equal(targets[0], X[3 : 3 + horizon].ravel() if targets.ndim == 2 else X[3, 0])


def test_a_column_of_targets_stays_a_column_and_labels_stay_labels():
    X = np.arange(5.0)
    assert make_windows(X, X[:, None], window=2)[1].shape == (3, 1)
    assert make_windows(X, list("abcde"), window=2, horizon=0)[1].tolist() == ["b", "c", "d", "e"]
    assert make_windows(X, pd.Series(X), window=2)[1].tolist() == [2.0, 3.0, 4.0]
    assert make_windows(X, pd.DataFrame({"a": X, "b": X}), window=2, horizon=2)[1].shape == (2, 4)


def test_targets_may_be_sequences_like_x():
    X = Sequences(np.arange(7.0), [0, 3, 7])
    _, targets, _ = make_windows(X, Sequences(X.values * 10, X.offsets), window=2)
    assert targets.tolist() == [20.0, 50.0, 60.0]
    with pytest.raises(InvalidSequencesError, match="must have the same lengths"):
        make_windows(X, Sequences(X.values, [0, 4, 7]), window=2)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(9,), (9, 2)])
def test_the_series_is_not_copied(dtype, shape):
    X = np.ones(shape, dtype)
    windows, _, _ = make_windows(X, window=2)
    assert np.shares_memory(windows.base, X)
    assert windows.dtype == np.dtype(dtype)


def test_a_read_only_memory_map_stays_on_disk(tmp_path):
    path = tmp_path / "series.npy"
    np.save(path, np.arange(1000.0).reshape(500, 2))
    series = np.load(path, mmap_mode="r")
    windows, targets, _ = make_windows(series, window=10, horizon=2)
    assert np.shares_memory(windows.base, series)
    assert np.array_equal(np.asarray(windows[3:5])[1], series[4:14])
    assert targets[0].tolist() == [20.0, 21.0, 22.0, 23.0]


def test_columns_of_a_table_name_the_features():
    windows, _, _ = make_windows(pd.DataFrame({"a": np.ones(5), "b": np.ones(5)}), window=2)
    assert windows.feature_names == ("a", "b")
    named = Sequences(np.ones((4, 1)), [0, 4], feature_names=["x"])
    assert make_windows(named, window=2)[0].feature_names == ("x",)


def test_the_windows_know_horizon_and_series():
    windows, _, _ = make_windows(Sequences(np.ones(12), [0, 5, 12]), window=2, horizon=3)
    assert windows.horizon == 3
    assert windows.offsets.tolist() == [0, 5, 12]
    assert windows.series.tolist() == [0, 1, 1, 1]


def test_series_that_are_too_short_are_named_by_their_ids():
    X = Sequences(np.ones(9), [0, 2, 6, 9], ids=["A1", "B2", "C3"])
    message = (
        r"needs 4 rows, and 2 of 3 series are shorter: sample 0 \(id 'A1'\) with 2 rows, sample 2 "
        r"\(id 'C3'\) with 3 rows. Choose a smaller window, or leave them out with X\[X.lengths >= 4\]"
    )
    with pytest.raises(InvalidSequencesError, match=message):
        make_windows(X, window=3)
    with pytest.raises(InvalidSequencesError, match="sample 4 with 1 rows and 5 more"):
        make_windows(Sequences(np.ones(10), np.arange(11)), window=1)
    with pytest.raises(InvalidSequencesError, match=r"series has 3 rows, but window \+ horizon needs 5"):
        make_windows([1.0, 2.0, 3.0], window=4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "'window' parameter of make_windows must be an integer of at least 1. Got 0"),
        ({"window": 2.0}, "Got 2.0 instead"),
        ({"window": True}, "Got True instead"),
        (
            {"window": 2, "horizon": -1},
            "'horizon' parameter of make_windows must be an integer of at least 1. Got -1",
        ),
        ({"window": 2, "horizon": 0}, "at least 1. Got 0"),
        ({"window": 2, "horizon": -1, "y": np.ones(5)}, "at least 0. Got -1"),
        ({"window": 2, "stride": 0}, "'stride' parameter"),
        ({"window": 2, "y": np.ones(4)}, r"one row for each of the 5 rows of X. Got shape \(4,\)"),
        ({"window": 2, "y": np.ones((5, 1, 1))}, r"Got shape \(5, 1, 1\)"),
        ({"window": 2, "X": np.ones((5, 2, 2))}, r"got \(5, 2, 2\): give several series as Sequences"),
        ({"window": 2, "X": ["a"] * 5}, "must hold real numbers"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(InvalidSequencesError, match=message):
        make_windows(**{"X": np.ones(5), **arguments})


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (pd.date_range("2024-01-01", periods=6)[::-1], "not in the order"),
        (pd.RangeIndex(6)[::-1], "rows of X must be in order of time"),
        (pd.MultiIndex.from_product([["a", "b"], range(3)]), "and 2 series, but make_windows takes one"),
    ],
)
def test_rows_that_are_not_one_series_in_order_are_refused(index, message):
    with pytest.raises(InvalidSequencesError, match=message):
        make_windows(pd.DataFrame({"x": np.arange(6.0)}, index=index), window=2)
