"""Tables to series: rows in order of time, columns of finite numbers, and the time after the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._roles import row_place

__all__ = ["index_after", "season_of", "series_frame", "time_index"]

_SEASONS = {
    "MS": 12,
    "ME": 12,
    "BMS": 12,
    "BME": 12,
    "QS": 4,
    "QE": 4,
    "BQS": 4,
    "BQE": 4,
    "W": 52,
    "D": 7,
    "B": 5,
    "h": 24,
}


def series_frame(frame: pd.DataFrame, columns: Sequence[str], index: pd.Index[Any], *, name: str) -> pd.DataFrame:
    """Return columns as finite float64 over another index of as many rows.

    Raises
    ------
    InvalidSequencesError
        At the first value that is missing or infinite; names row and column.
    """
    values = np.empty((len(frame), len(columns)))
    for j, column in enumerate(columns):
        values[:, j] = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
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
    """Return the time of each row, which must rise, as an index; row numbers from 0 without a time column.

    Raises
    ------
    InvalidSequencesError
        If a time is missing or cannot be read, or times do not rise; names the row.
    """
    if time is None:
        return pd.RangeIndex(len(frame), name="step")
    times = frame[time]
    if not (pd.api.types.is_numeric_dtype(times.dtype) or pd.api.types.is_datetime64_any_dtype(times.dtype)):
        times = pd.to_datetime(times, format="ISO8601", errors="coerce")
    unread = times.isna().to_numpy()
    if unread.any():
        row = int(unread.argmax())
        raise InvalidSequencesError(
            f"{name!r}, {row_place(frame, row)}, time column {time!r}: {frame[time].iloc[row]!r} is no "
            "time. Write times as 2024-03-31 or 2024-03-31T12:00, or as numbers."
        )
    rises = np.asarray(times.iloc[1:].array > times.iloc[:-1].array, dtype=bool)
    if not rises.all():
        _refuse_order(frame, time, row=int(rises.argmin()) + 1, name=name)
    index: pd.Index[Any] = pd.Index(times, name=time)
    return index


def index_after(index: pd.Index[Any], n_steps: int) -> pd.Index[Any]:
    """Return the index of the steps after the end.

    Dates go on at their frequency, numbers at their step; where there is none the steps are counted from 1.
    """
    if isinstance(index, pd.DatetimeIndex):
        frequency = _frequency(index)
        if frequency is not None:
            dates = pd.date_range(index[-1], periods=n_steps + 1, freq=frequency, name=index.name)
            return dates[1:]
    elif pd.api.types.is_numeric_dtype(index.dtype) and len(index) > 1:
        steps = np.diff(index.to_numpy())
        if np.allclose(steps, steps[0]):
            ahead: pd.Index[Any] = pd.Index(index[-1] + steps[0] * np.arange(1, n_steps + 1), name=index.name)
            return ahead
    return pd.RangeIndex(1, n_steps + 1, name="step")


def season_of(index: pd.Index[Any]) -> int:
    """Return the steps of a season: a year of months, quarters or weeks, a week of days, a day of hours."""
    frequency = _frequency(index) if isinstance(index, pd.DatetimeIndex) else None
    if frequency is None or frequency.n != 1:  # nothing repeats that is known of
        return 1
    return _SEASONS.get(frequency.rule_code.partition("-")[0], 1)


def _frequency(index: pd.DatetimeIndex) -> BaseOffset | None:
    return index.freq or pd.DatetimeIndex(index, freq="infer").freq


def _refuse_order(frame: pd.DataFrame, time: str, *, row: int, name: str) -> None:
    before, after = frame[time].iloc[row - 1], frame[time].iloc[row]
    if after == before:
        what, remedy = f"is {after} a second time", "keep one of the rows"
    else:
        what, remedy = f"falls from {before} to {after}", f"sort the rows by {time!r}"
    raise InvalidSequencesError(
        f"{name!r}, {row_place(frame, row)}: the time {time!r} {what}, but a series has one row a step: {remedy}."
    )
