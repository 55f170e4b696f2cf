import numpy as np
import pytest

from seqpipe.sequences import Sequences, Windows
from seqpipe.tasks._tabular import tabular

RAGGED = Sequences.from_arrays([[[1.0, 10.0], [3.0, 30.0]], [[2.0, 20.0], [2.0, 40.0], [5.0, 0.0]]])


def test_equally_long_sequences_are_laid_side_by_side():
    X = np.arange(12.0).reshape(2, 3, 2)
    train, test = tabular(X, Sequences.from_padded(X + 1))
    np.testing.assert_array_equal(train, X.reshape(2, 6))
    np.testing.assert_array_equal(test, X.reshape(2, 6) + 1)


def test_ragged_sequences_are_summed_up_by_feature():
    train, _ = tabular(RAGGED, RAGGED)
    expected = [
        [f(x[:, j]) for f in (np.mean, np.std, np.min, np.max, lambda c: c[-1]) for j in (0, 1)] for x in RAGGED
    ]
    np.testing.assert_allclose(train, expected)


def test_both_sets_get_the_same_columns_where_only_one_is_ragged():
    train, test = tabular(RAGGED, np.zeros((3, 4, 2)))
    assert train.shape[1] == test.shape[1] == 10


def test_equal_lengths_that_differ_between_the_sets_are_summed_up():
    train, test = tabular(np.zeros((3, 5, 2)), np.zeros((3, 4, 2)))
    assert train.shape[1] == test.shape[1] == 10


def test_very_long_sequences_are_summed_up():
    train, _ = tabular(np.zeros((3, 4, 1)), np.zeros((3, 4, 1)), max_values=10)
    assert train.shape == (3, 5)


def test_a_table_stays_what_it_is():
    train, _ = tabular([[1, 2], [3, 4]], [[5, 6]])
    np.testing.assert_array_equal(train, [[1, 2], [3, 4]])


@pytest.mark.parametrize("kind", [list, lambda X: np.array([*map(np.asarray, X)], dtype=object)])
def test_lists_of_arrays_are_sequences(kind):
    X = kind([np.ones((2, 1)), np.ones((3, 1))])
    assert tabular(X, X)[0].shape == (2, 5)


def test_windows_are_sequences():
    windows = Windows(np.arange(6.0), starts=[0, 2], window=3)
    np.testing.assert_array_equal(tabular(windows, windows)[0], [[0, 1, 2], [2, 3, 4]])
