"""Conversion of a column of times, in any form, to numbers, elapsed times, or dates with their time zone."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._time_text import remedy_for, times_from_text
from seqpipe.tables._zones import Place, refuse_mixed_zones

__all__ = ["ordinals", "read_times", "refuse_missing"]

#: Formats of dates written as integers, by number of digits.
_COMPACT = {6: "%Y%m", 8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_COMPACT_YEARS = range(1800, 2200)


def read_times(column: pd.Series[Any], place: Place) -> pd.Series[Any]:
    """Convert times to a type that can be compared and subtracted.

    Parameters
    ----------
    column : Series of length n_rows
        Numbers, dates, elapsed times, clock times, periods, or text of these, as numpy, pandas or Arrow types or
        Python objects.
    place : callable
        Describes the row at a position.

    Returns
    -------
    Series of length n_rows
        int64, uint64 or float64; timedelta64, since midnight for clock times; or datetime64. A period is replaced by
        its first instant. Dates keep their time zone; if there are several, that of the last row. Integers that are all
        dates without separators, such as 20240131, are converted to these dates.

    Raises
    ------
    InvalidSequencesError
        If a time is missing, infinite or ambiguous, or some have a time zone and others do not; the message names the
        position.
    """
    if not len(column):
        return column.astype("float64")
    refuse_missing(column, place)
    found = _read(column.reset_index(drop=True), place)
    unread = [True] if found is None else found.isna().to_numpy(dtype=bool)
    if found is None or any(unread):
        row = int(np.argmax(unread))
        value = column.tolist()[row]
        raise InvalidSequencesError(
            f"{place(row)}: column {column.name!r} holds {value!r:.60}, which is not a time. {remedy_for(value)}"
        )
    found.index, found.name = column.index, column.name
    return found


def ordinals(times: pd.Series[Any] | pd.Index[Any]) -> NDArray[Any]:
    """Return times from `read_times` as numbers in their own unit; for dates these are UTC instants."""
    if times.dtype.kind in "Mm":
        index = pd.Index(times)
        assert isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex)
        return index.asi8
    return times.to_numpy()


def refuse_missing(column: pd.Series[Any], place: Place) -> None:
    """Raise `InvalidSequencesError` if a time is missing; the message names the position of the first."""
    absent = column.isna().to_numpy(dtype=bool)
    if absent.any():
        number = int(absent.sum())
        more = f" (and {number - 1:,} more)" if number > 1 else ""
        raise InvalidSequencesError(
            f"{place(int(absent.argmax()))}: column {column.name!r} is empty{more}. Every row needs it: fill it in."
        )


def _read(column: pd.Series[Any], place: Place) -> pd.Series[Any] | None:
    """Return times, with missing values for those that cannot be parsed; None if the column is of another kind."""
    column = _in_numpy(column)
    dtype = column.dtype
    if dtype.kind in "Mm":
        return column
    if isinstance(dtype, pd.PeriodDtype):
        return column.dt.to_timestamp(how="start")
    if pd.api.types.is_bool_dtype(dtype) or dtype.kind == "c":
        return None
    if pd.api.types.is_numeric_dtype(dtype):
        return _numbers(column)
    if pd.api.types.is_string_dtype(dtype):  # includes objects
        return _objects(column, place)
    return None


def _in_numpy(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column without Arrow types and categories; ordered categories are replaced by their codes."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return column.cat.codes.astype(np.int64) if dtype.ordered else column.astype(dtype.categories.dtype)
    if isinstance(dtype, pd.ArrowDtype):
        plain = pa.array(column.array).to_pandas(date_as_object=False)
        return pd.Series(plain.array, index=column.index, name=column.name)
    return column


def _numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_integer_dtype(column.dtype):  # differences of small or unsigned integers overflow
        return _compact_dates(column.astype("int64" if column.max() <= np.iinfo(np.int64).max else "uint64"))
    numbers = column.astype("float64")
    return _compact_dates(numbers.where(np.isfinite(numbers)))


def _compact_dates(numbers: pd.Series[Any]) -> pd.Series[Any]:
    """Return dates if every number is a date without separators; step numbers would soon contain a 13th month."""
    if not len(numbers) or numbers.isna().any() or (numbers % 1 != 0).any():
        return numbers
    low, high = numbers.min(), numbers.max()
    digits = len(str(int(high))) if low > 0 else 0
    scale = 10 ** (digits - 4)
    if digits not in _COMPACT or not (_COMPACT_YEARS[0] * scale <= low and high < _COMPACT_YEARS.stop * scale):
        return numbers
    text = numbers.astype("int64").astype(str)
    dates: pd.Series[Any] = pd.to_datetime(text, format=_COMPACT[digits], errors="coerce")
    return numbers if dates.isna().any() else dates


def _objects(column: pd.Series[Any], place: Place) -> pd.Series[Any] | None:
    match pd.api.types.infer_dtype(column, skipna=True):
        case "integer" | "floating" | "mixed-integer-float" | "decimal":
            return _numbers(_as_numbers(column))
        case "datetime" | "datetime64" | "date":
            return _dates(column, place)
        case "timedelta" | "timedelta64":
            return pd.to_timedelta(column)
        case "time":
            return pd.to_timedelta(column.map(lambda time: time.isoformat()), errors="coerce")
        case "period":
            return column.map(lambda period: period.start_time)
        case "string":
            return _text(column.astype("str").str.strip(), place)
        case "mixed" | "mixed-integer":
            return _text(column.map(_as_text).astype("str"), place)
    return None


def _text(text: pd.Series[Any], place: Place) -> pd.Series[Any]:
    """Return numbers if the first cell is one, else times."""
    if pd.isna(pd.to_numeric(text.iloc[:1], errors="coerce")).all():
        return times_from_text(text, place)
    numbers = pd.to_numeric(text, errors="coerce")
    return _numbers(numbers) if numbers.notna().all() else numbers


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value).strip()


def _as_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.astype("float64") if numbers.dtype == object else numbers


def _dates(column: pd.Series[Any], place: Place) -> pd.Series[Any]:
    zones = [value.tzinfo if isinstance(value, datetime) else None for value in column]
    aware = np.array([zone is not None for zone in zones], dtype=bool)
    refuse_mixed_zones(column, aware, place)
    if not aware.all():
        return pd.to_datetime(column, errors="coerce")
    return pd.to_datetime(column, utc=True, errors="coerce").dt.tz_convert(zones[-1])
