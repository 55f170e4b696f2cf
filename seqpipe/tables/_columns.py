"""Columns of a long table, checked: times that rise, features that are finite, every fault with its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["Places", "check_rising", "finite_values"]


class Places:
    """Where the rows of a table are, in the user's words.

    Parameters
    ----------
    index : pandas Index of length n_rows
        What the user calls the rows; a named index gives its name too, such as "line".
    codes : array of int, shape (n_rows,)
        The sample of each row.
    ids : array of shape (n_samples,)
        What the user calls the samples.
    """

    def __init__(self, index: pd.Index[Any], codes: NDArray[Any], ids: NDArray[Any]) -> None:
        self.index = index
        self.codes = codes
        self.ids = ids

    def row(self, i: int) -> str:
        """Return words for the row at position ``i``, such as "row 12"."""
        return f"{self.index.name or 'row'} {self.index[i]}"

    def __getitem__(self, i: int) -> str:
        found = self.ids[self.codes[i]]
        name = found.item() if isinstance(found, np.generic) else found
        return f"id {name!r:.60}, {self.row(i)}"


def check_rising(times: pd.Series[Any], places: Places, *, by: str) -> None:
    """Raise `InvalidSequencesError` unless ``times`` rise strictly from row to row of the same sample."""
    _refuse_missing(times.isna().to_numpy(), times, places)
    if pd.api.types.is_string_dtype(times.dtype):  # objects too
        times = _parsed_times(times, places)
    before, after = times.array[:-1], times.array[1:]
    same = places.codes[1:] == places.codes[:-1]
    try:
        wrong = np.flatnonzero(same & ~np.asarray(after > before, dtype=bool))
    except TypeError as error:
        raise InvalidSequencesError(
            f"The column {times.name!r} has no order ({error}): make it numbers or times."
        ) from error
    if len(wrong):
        i = int(wrong[0]) + 1
        raise InvalidSequencesError(f"{places[i]}: {_not_rising(times, i, [by, times.name])}")


def _not_rising(times: pd.Series[Any], i: int, keys: list[Any]) -> str:
    if times.array[i] == times.array[i - 1]:
        return (
            f"{times.name!r} is {times.array[i]} a second time in this id. Keep one row, such as with "
            f"frame.drop_duplicates({keys})."
        )
    return (
        f"{times.name!r} falls from {times.array[i - 1]} to {times.array[i]} in this id. Sort the rows with "
        f"frame.sort_values({keys})."
    )


def finite_values(columns: list[pd.Series[Any]], places: Places) -> NDArray[Any]:
    """Return columns as a matrix of shape (n_rows, n_features).

    Raises
    ------
    InvalidSequencesError
        At the first value that is not a finite number.
    """
    values = np.column_stack([_numbers(column, places) for column in columns])
    for j, column in enumerate(columns):
        _refuse_missing(np.isnan(values[:, j]), column, places)
        _refuse_infinite(np.isinf(values[:, j]), column, places)
    return values


def _refuse_missing(missing: NDArray[Any], column: pd.Series[Any], places: Places) -> None:
    if missing.any():
        i = int(missing.argmax())
        raise InvalidSequencesError(
            f"{places[i]}, column {column.name!r}: the value is missing or NaN ({int(missing.sum())} such "
            "in the column). Fill it in, or drop the row."
        )


def _refuse_infinite(infinite: NDArray[Any], column: pd.Series[Any], places: Places) -> None:
    if infinite.any():
        raise InvalidSequencesError(
            f"{places[int(infinite.argmax())]}, column {column.name!r}: the value is infinite "
            f"({int(infinite.sum())} such in the column). Clip it, or drop the row."
        )


def _parsed_times(times: pd.Series[Any], places: Places) -> pd.Series[Any]:
    """Return ISO 8601 text as times, and anything else as it is; other text sorts by letters, not by time."""
    text = times.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
    if not text.any():
        return times.infer_objects()
    parsed = pd.to_datetime(times.where(text), format="ISO8601", utc=True, errors="coerce")
    unknown = parsed.isna().to_numpy()
    if unknown.any():
        i = int(unknown.argmax())
        raise InvalidSequencesError(
            f"{places[i]}, column {times.name!r}: {times.iloc[i]!r:.60} is no ISO 8601 time, and other text "
            "has no order in time. Convert the column with pd.to_datetime or pd.to_numeric."
        )
    return parsed


def _numbers(column: pd.Series[Any], places: Places) -> NDArray[Any]:
    mixed = pd.api.types.is_string_dtype(column.dtype)  # objects too
    numbers = pd.to_numeric(column, errors="coerce") if mixed else column
    if not pd.api.types.is_numeric_dtype(numbers.dtype) or pd.api.types.is_complex_dtype(numbers.dtype):
        raise InvalidSequencesError(
            f"The column {column.name!r} holds {numbers.dtype}, not numbers: encode it, or leave it out with features=."
        )
    dtype = np.float32 if column.dtype == np.float32 else np.float64
    values = numbers.to_numpy(dtype=dtype, na_value=np.nan)
    if mixed:
        _refuse_other_than_numbers(column, np.isnan(values), places)
    return values


def _refuse_other_than_numbers(column: pd.Series[Any], unread: NDArray[Any], places: Places) -> None:
    """Refuse text even where it could be read as a number: the rest of such a column is seldom clean."""
    unfit = column.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
    unreadable = unread & column.notna().to_numpy()
    if (unfit | unreadable).any():
        i = int((unreadable if unreadable.any() else unfit).argmax())
        found = column.iloc[i]
        raise InvalidSequencesError(
            f"{places[i]}, column {column.name!r}: {found!r:.60} is {type(found).__name__}, not a number. "
            "Correct it and convert the column with pd.to_numeric, or leave it out with features=."
        )
