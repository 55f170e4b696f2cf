"""Columns of any storage, read as numbers."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.tables import read_numbers

NAN = float("nan")


def arrow(values, kind):
    return pd.Series(pd.array(values, dtype=pd.ArrowDtype(kind)))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pd.Series([1.5, None]), [1.5, NAN]),
        (pd.Series([True, False]), [1, 0]),
        (pd.Series([True, None], dtype="boolean"), [1, NAN]),
        (pd.Series([True, None], dtype=object), [1, NAN]),
        (pd.Series([1, None], dtype="Int64"), [1, NAN]),
        (pd.Series([1.5, None], dtype="Float64"), [1.5, NAN]),
        (pd.Series([Decimal("1.50"), pd.NA, 2], dtype=object), [1.5, NAN, 2]),
        (arrow([Decimal("1.50"), None], pa.decimal128(10, 2)), [1.5, NAN]),
        (arrow([True, None], pa.bool_()), [1, NAN]),
        (arrow([3, None], pa.int16()), [3, NAN]),
        (arrow([None, None], pa.null()), [NAN, NAN]),
        (arrow(["1.5", "NA"], pa.string()), [1.5, NAN]),
        (pd.Series(["1.5", None], dtype="string[pyarrow]"), [1.5, NAN]),
        (pd.Series(["1.5", None], dtype="string[python]"), [1.5, NAN]),
        (pd.Series(["1.5", "n/a"], dtype=object), [1.5, NAN]),
        (pd.Series(["1.5", None], dtype="category"), [1.5, NAN]),
        (pd.Series([" +2 ", "1e3", ".5", "7."]), [2, 1000, 0.5, 7]),
        (pd.Series(["True", "false", ""]), [1, 0, NAN]),
    ],
)
def test_numbers_of_every_storage_are_read(column, values):
    read = read_numbers(column)
    np.testing.assert_array_equal(read.values, values)
    assert read.n_unread == 0


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["a"]),
        pd.Series([[1.0]]),
        pd.Series([1j]),
        pd.to_datetime(pd.Series(["2024"])),
        pd.Series(["a"], dtype="category"),
        arrow([[1.0]], pa.list_(pa.float64())),
        pd.Series(["0x1F"]),
        pd.Series(["1_000"]),
        pd.Series(["1,5"]),
    ],
)
def test_everything_else_is_left_unread(column):
    read = read_numbers(column)
    assert (read.n_read, read.n_unread) == (0, 1)


def test_cells_that_are_no_numbers_are_told_one_by_one():
    read = read_numbers(pd.Series(["1.5", "?", None, "2"]))
    assert read.unread.tolist() == [False, True, False, False]
    assert (read.n_read, read.n_unread) == (2, 1)


def test_a_decimal_comma_leaves_no_room_for_points():
    read = read_numbers(pd.Series(["1,5", "-,5", "2", "1.5", "1.234,5"]), decimal=",")
    np.testing.assert_array_equal(read.values, [1.5, -0.5, 2, NAN, NAN])
    assert read.unread.tolist() == [False, False, False, True, True]


@given(st.lists(st.integers(-(10**17), 10**17), min_size=1))
def test_whole_numbers_lose_nothing(values):
    assert read_numbers(pd.Series([str(value) for value in values])).values.tolist() == values


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_text_is_read_to_the_last_bit(values):
    assert read_numbers(pd.Series([repr(value) for value in values])).values.tolist() == values


def test_text_may_be_asked_to_stay_text():
    assert read_numbers(pd.Series(["1", "2"]), text=False).n_unread == 2
