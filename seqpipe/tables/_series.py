"""Conversion of tables to series and panels: rows in order of time, and columns of finite numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._index import id_levels
from seqpipe.tables._numbers import number_matrix
from seqpipe.tables._rising import check_rising
from seqpipe.tables._roles import row_place
from seqpipe.tables._times import read_times

__all__ = ["panel_index", "series_frame", "time_index"]


def series_frame(frame: pd.DataFrame, columns: Sequence[str], index: pd.Index[Any], *, name: str) -> pd.DataFrame:
    """Return columns as finite float64 with the given index of the same length.

    Raises
    ------
    InvalidSequencesError
        If a value is missing or infinite; the message names row and column of the first one.
    """
    values = number_matrix(frame, columns)
    unfit = ~np.isfinite(values)
    if unfit.any():
        row, j = (int(i) for i in np.argwhere(unfit)[0])
        raise InvalidSequencesError(
            f"{name!r}, {row_place(frame, row)}, {_labelled(index, row)}, column "
            f"{columns[j]!r}: the value is missing or infinite ({int(unfit[:, j].sum())} such in the "
            "column). Fill it in, or start the series later."
        )
    return pd.DataFrame(values, columns=list(columns), index=index)


def _labelled(index: pd.Index[Any], row: int) -> str:
    """Return the time of a row, for a panel its id as well, with their names."""
    values = index[row] if isinstance(index, pd.MultiIndex) else (index[row],)
    return ", ".join(f"{name or 'step'} {value}" for name, value in zip(index.names, values))


def panel_index(frame: pd.DataFrame, id: str, time: str | None, *, name: str) -> pd.MultiIndex:
    """Return the id and time of each row; the rows of an id are adjacent, and its times increase.

    Without a time column, the rows of each id are numbered from 0.

    Raises
    ------
    InvalidSequencesError
        If a time is missing or cannot be parsed, times do not increase, or ids look like times and times do not.
    """
    codes = pd.factorize(frame[id])[0]
    times = time_index(frame, time, name=name, codes=codes)
    index = pd.MultiIndex.from_arrays([frame[id], times], names=[id, times.name])
    if id_levels(index) != (id,):
        raise InvalidSequencesError(
            f"The ids in column {id!r} of {name!r} look like times, such as {index[0][0]!r}, and its times, such as {index[0][1]!r}, "
            "are numbers: begin the ids with a word."
        )
    return index


def time_index(frame: pd.DataFrame, time: str | None, *, name: str, codes: NDArray[Any] | None = None) -> pd.Index[Any]:
    """Return the time of each row as an index, which must be increasing; row numbers from 0 without a time column.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        The table.
    time : str or None
        Column of its times.
    name : str
        Name of the table in error messages.
    codes : array of int, shape (n_rows,), optional
        Index of the series of each row; the rows of a series are adjacent. By default there is a single series.

    Raises
    ------
    InvalidSequencesError
        If a time is missing or cannot be parsed, or times do not increase; the message names the row.
    """
    if time is None:
        return pd.RangeIndex(len(frame), name="step") if codes is None else _counted(codes)

    def place(row: int) -> str:
        return f"{name!r}, {row_place(frame, row)}"

    written = frame[time]
    times = read_times(written, place)
    check_rising(
        times,
        np.zeros(len(frame), dtype=np.intp) if codes is None else codes,
        place,
        written=written,
        if_falling=f"Sort the rows by {time!r}.",
        if_doubled="A series must have one row per time: keep one of the two.",
    )
    return pd.Index(times, name=time)


def _counted(codes: NDArray[Any]) -> pd.Index[Any]:
    """Return the number of each row within its series, from 0."""
    numbers = pd.Series(codes).groupby(codes).cumcount()
    return pd.Index(numbers.to_numpy(), name="step")
