"""What counts as sequences, and what is refused with its place."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows, as_sequences, check_finite, is_table

STEPS = [np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])]


def objects(arrays):
    out = np.empty(len(arrays), dtype=object)
    for i, array in enumerate(arrays):
        out[i] = array
    return out


SEQUENCES = {
    "Sequences": Sequences.from_arrays(STEPS),
    "list": STEPS,
    "tuple": tuple(STEPS),
    "nested lists": [step.tolist() for step in STEPS],
    "object array": objects(STEPS),
    "Series": pd.Series(STEPS),
    "one-column DataFrame": pd.DataFrame({"x": pd.Series(STEPS)}),
    "Arrow Series": pd.Series(pd.arrays.ArrowExtensionArray(pa.array([step.tolist() for step in STEPS])), name="x"),
}


@pytest.mark.parametrize("X", SEQUENCES.values(), ids=SEQUENCES)
def test_every_kind_of_sequences_becomes_the_same_container(X):
    assert not is_table(X)
    found = as_sequences(X, dtype="f4")
    assert found.lengths.tolist() == [1, 2]
    assert found.values.dtype == np.float32
    assert found.values.tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize(
    "X",
    [
        np.ones((2, 3)),
        [[1.0, 2.0], [3.0, 4.0]],
        pd.DataFrame({"a": [1.0], "b": [2.0]}),
        pd.DataFrame({"a": [1.0]}),
        np.ones(3),
        [1.0, 2.0],
        "text",
        np.array([1, "a"], dtype=object),
    ],
    ids=repr,
)
def test_tables_and_what_scikit_learn_should_judge_are_no_sequences(X):
    assert is_table(X)


def test_a_list_of_matrices_is_ragged_even_where_they_are_equal_in_length():
    assert not is_table([np.ones((2, 1)), np.ones((2, 1))])
    assert not is_table([[1.0], [2.0, 3.0]])
    assert not is_table(np.ones((2, 3, 1)))


def test_an_empty_list_holds_no_sequences():
    assert not is_table([])
    with pytest.raises(InvalidSequencesError, match=r"0 sample\(s\)"):
        as_sequences([])


def test_an_array_of_three_dimensions_and_windows_are_not_copied():
    array = np.ones((2, 3, 1))
    assert np.shares_memory(as_sequences(array).values, array)
    windows = Windows(np.ones((5, 1)), [0, 1], 2)
    assert as_sequences(windows) is windows


def test_without_a_dtype_the_type_is_kept():
    assert as_sequences(np.ones((2, 3, 1), "f4")).dtype == np.float32
    assert as_sequences(np.ones((2, 3, 1), "i8")).dtype == np.float64


def test_the_index_of_a_series_becomes_the_ids():
    assert as_sequences(pd.Series(STEPS, index=["p", "q"])).ids.tolist() == ["p", "q"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_by_sample_step_and_feature(value):
    values = np.ones((4, 2))
    values[3, 1] = value
    X = Sequences(values, [0, 1, 4], feature_names=["a", "b"], ids=["P", "Q"])
    what = "NaN" if np.isnan(value) else "infinity"
    with pytest.raises(InvalidSequencesError, match=rf"{what}: sample 1 \(id 'Q'\), step 2, feature 'b' \(1 such"):
        as_sequences(X)


def test_only_rows_that_windows_cover_must_be_finite():
    base = np.ones((8, 1))
    base[0] = np.nan
    check_finite(Windows(base, [1, 2], 3))
    with pytest.raises(InvalidSequencesError, match="NaN: row 0 of the series, feature 0"):
        check_finite(Windows(base, [0], 3))
    base[5] = np.inf
    with pytest.raises(InvalidSequencesError, match="infinity: row 1 of series 1, feature 'a'"):
        check_finite(Windows(base, [1, 4], 3, offsets=[0, 4, 8], feature_names=["a"]))


def test_values_whose_sum_overflows_are_finite():
    check_finite(Sequences(np.full((4, 1), 1e308), [0, 4]))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((0, 3, 1)), r"0 sample\(s\)"),
        (np.ones((2, 0, 1)), "no time steps"),
        (np.ones((2, 3, 0)), r"0 feature\(s\)"),
        (np.ones((2, 3, 1), complex), "real numbers, got dtype complex128"),
        (np.full((2, 3, 1), "a"), "real numbers"),
        (
            Sequences(np.ones((2, 1)), [0, 0, 2], ids=["Big", "q"]),
            r"no time steps in sample 0 \(id 'Big'\) \(1 such\)",
        ),
        ([np.ones((2, 1)), np.ones((1, 2))], "Sample 1 has 2 features where the first has 1"),
    ],
)
def test_what_no_network_can_be_trained_on_is_refused(X, message):
    with pytest.raises(InvalidSequencesError, match=message):
        as_sequences(X)


def test_an_object_array_of_one_column_is_the_column() -> None:
    arrays = [np.ones((2, 2)), np.ones((3, 2))]
    column = np.empty((2, 1), dtype=object)
    column[:, 0] = arrays
    assert as_sequences(column) == Sequences.from_arrays(arrays)
    assert as_sequences(np.asarray(pd.DataFrame({"sequence": arrays}))) == Sequences.from_arrays(arrays)
