"""Conversion of tables to series: rows in order of time, and columns of finite numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._numbers import number_matrix
from seqpipe.tables._rising import check_rising
from seqpipe.tables._roles import row_place
from seqpipe.tables._times import read_times

__all__ = ["series_frame", "time_index"]


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
            f"{name!r}, {row_place(frame, row)}, {index.name or 'step'} {index[row]}, column "
            f"{columns[j]!r}: the value is missing or infinite ({int(unfit[:, j].sum())} such in the "
            "column). Fill it in, or start the series later."
        )
    return pd.DataFrame(values, columns=list(columns), index=index)


def time_index(frame: pd.DataFrame, time: str | None, *, name: str) -> pd.Index[Any]:
    """Return the time of each row as an index, which must be increasing; row numbers from 0 without a time column.

    Raises
    ------
    InvalidSequencesError
        If a time is missing or cannot be parsed, or times do not increase; the message names the row.
    """
    if time is None:
        return pd.RangeIndex(len(frame), name="step")

    def place(row: int) -> str:
        return f"{name!r}, {row_place(frame, row)}"

    written = frame[time]
    times = read_times(written, place)
    check_rising(
        times,
        np.zeros(len(frame), dtype=np.intp),
        place,
        written=written,
        if_falling=f"Sort the rows by {time!r}.",
        if_doubled="A series must have one row per time: keep one of the two.",
    )
    return pd.Index(times, name=time)
