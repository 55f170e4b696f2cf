"""Features of a long table: finite numbers, with the position of any invalid value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._numbers import NumberColumn, holds_text, read_numbers

__all__ = ["Places", "finite_values"]


class Places:
    """Describes the position of a row by the labels that the user knows.

    Parameters
    ----------
    index : pandas Index of length n_rows
        Labels of the rows; the name of the index is used as well, such as "line".
    codes : array of int, shape (n_rows,)
        Index of the sample of each row.
    ids : array of shape (n_samples,)
        Identifiers of the samples.
    """

    def __init__(self, index: pd.Index[Any], codes: NDArray[Any], ids: NDArray[Any]) -> None:
        self.index = index
        self.codes = codes
        self.ids = ids

    def row(self, i: int) -> str:
        """Return a description of the row at position ``i``, such as "row 12"."""
        return f"{self.index.name or 'row'} {self.index[i]}"

    def __getitem__(self, i: int) -> str:
        found = self.ids[self.codes[i]]
        name = found.item() if isinstance(found, np.generic) else found
        return f"id {name!r:.60}, {self.row(i)}"


def finite_values(columns: list[pd.Series[Any]], places: Places) -> NDArray[Any]:
    """Return columns as a matrix of shape (n_rows, n_features).

    Raises
    ------
    InvalidSequencesError
        If a value is not a finite number; the message names the first one.
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


def _numbers(column: pd.Series[Any], places: Places) -> NDArray[Any]:
    read = read_numbers(column, text=False)
    if read.n_unread:
        _refuse_other_than_numbers(column, read, places)
    return read.values if read.values.dtype == np.float32 else read.values.astype(np.float64)


def _refuse_other_than_numbers(column: pd.Series[Any], read: NumberColumn, places: Places) -> None:
    """Raise for text even if it could be parsed as a number: other cells of such a column usually cannot."""
    if column.dtype != object and not holds_text(column):
        raise InvalidSequencesError(
            f"The column {column.name!r} holds {column.dtype}, not numbers: encode it, or leave it out with features=."
        )
    unreadable = read_numbers(column).unread
    i = int((unreadable if unreadable.any() else read.unread).argmax())
    found = column.iloc[i]
    raise InvalidSequencesError(
        f"{places[i]}, column {column.name!r}: {found!r:.60} is {type(found).__name__}, not a number. "
        "Correct it and convert the column with pd.to_numeric, or leave it out with features=."
    )
