"""Arrow list arrays: no copy, and no null that is overlooked."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, arrow_from_sequences, sequences_from_arrow

PAIRS = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]]


def shares_memory(values, array):
    while not pa.types.is_floating(array.type):
        array = array.values
    return np.shares_memory(values, array.to_numpy())


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.list_(pa.float64())),
        pa.large_list(pa.large_list(pa.float32())),
        pa.list_(pa.list_(pa.float64(), 2)),
    ],
    ids=str,
)
def test_lists_of_steps_are_taken_without_a_copy(kind):
    array = pa.array(PAIRS, type=kind)
    X = sequences_from_arrow(array, ids=["p", "q"])
    assert X.lengths.tolist() == [2, 1]
    assert X.values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert X.ids.tolist() == ["p", "q"]
    assert shares_memory(X.values, array)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float64(), 2)], ids=str
)
def test_lists_of_numbers_have_one_feature(kind):
    array = pa.array([[1.0, 2.0], [3.0, 4.0]], type=kind)
    X = sequences_from_arrow(array)
    assert [steps.tolist() for steps in X] == [[[1], [2]], [[3], [4]]]
    assert shares_memory(X.values, array)


@given(st.lists(st.integers(0, 4), max_size=6), st.integers(1, 3), st.sampled_from(["f4", "f8"]))
def test_arrow_and_back_gives_the_same_sequences_without_a_copy(lengths, n_features, dtype):
    values = np.random.default_rng(0).normal(size=(sum(lengths), n_features)).astype(dtype)
    X = Sequences(values, np.cumsum([0, *lengths]))
    array = arrow_from_sequences(X)
    back = sequences_from_arrow(array)
    assert back == X
    assert back.dtype == X.dtype
    assert not values.size or np.shares_memory(back.values, values)


@given(st.integers(0, 5), st.integers(0, 5))
def test_a_slice_of_an_array_is_the_slice_of_its_sequences(begin, length):
    array = pa.array([[[float(i)] * 2] * i for i in range(5)], type=pa.list_(pa.list_(pa.float64(), 2)))
    part = sequences_from_arrow(array.slice(begin, length))
    assert [steps.tolist() for steps in part] == array.slice(begin, length).to_pylist()


def test_chunks_are_put_together():
    X = sequences_from_arrow(pa.chunked_array([[[1.0]], [[2.0, 3.0]]]))
    assert X.values.ravel().tolist() == [1, 2, 3]
    single = pa.chunked_array([[[1.0]]])
    assert shares_memory(sequences_from_arrow(single).values, single.chunk(0))
    assert len(sequences_from_arrow(pa.chunked_array([], type=pa.list_(pa.float64())))) == 0


@pytest.mark.parametrize("kind", [pa.int32(), pa.bool_(), pa.float16()], ids=str)
def test_other_numbers_become_float64(kind):
    X = sequences_from_arrow(pa.array([[0, 1]]).cast(pa.list_(kind)))
    assert X.dtype == np.float64
    assert X.values.ravel().tolist() == [0, 1]


def test_decimals_become_float64():
    assert sequences_from_arrow(pa.array([[Decimal("1.5")]])).values.tolist() == [[1.5]]


def test_a_series_of_arrays_or_arrow_lists_will_do():
    assert sequences_from_arrow(pd.Series([np.ones(2), np.ones(3)])).lengths.tolist() == [2, 3]
    series = pd.Series(pd.arrays.ArrowExtensionArray(pa.array(PAIRS)))
    assert sequences_from_arrow(series).n_features == 2


def test_nan_is_no_null_and_left_for_the_check_of_values():
    assert np.isnan(sequences_from_arrow(pd.Series([np.array([1.0, np.nan])])).values[1, 0])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.array([[1.0], None]), "Sample 1 is null: drop it"),
        (pa.array([[1.0], [2.0, None]]), r"Sample 1, step 1 is null \(1 such\)"),
        (pa.array([[[1.0]], [[2.0], None]]), "Sample 1, step 1 is null"),
        (pa.array([[[1.0, 2.0]], [[3.0, None]]]), "Sample 1, step 0, feature 1 is null"),
        (pa.array([[[1.0, 2.0]], [], [[3.0]]]), "Sample 2, step 0 has 1 features where the first step has 2"),
        (pa.array([["a"]]), "must hold numbers. Got list<item: string>"),
        (pa.array([[[[1.0]]]]), "must hold numbers. Got list<item: list<item: list"),
        (pa.array([1.0]), "array must have one list per sequence. Got double"),
        ([[1.0], "a"], "cannot be read as lists of numbers"),
    ],
)
def test_what_is_no_list_of_numbers_is_refused_with_its_place(array, message):
    with pytest.raises(InvalidSequencesError, match=message):
        sequences_from_arrow(array)
