"""The row index of pandas data: one series or several, and the times it holds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._times import read_times
from seqpipe.tables._zones import Place

__all__ = ["id_levels", "index_of", "places_in", "refuse_panel", "refuse_several", "rows_by_series", "times_of"]

#: A date of ISO 8601 without separators.
_COMPACT = re.compile(r"\d{8}")


def index_of(data: Any) -> pd.Index[Any] | None:
    """Return the row index, for a MultiIndex its time level, for intervals their left ends; None for data without an index."""
    index = getattr(data, "index", None)
    if isinstance(index, pd.MultiIndex):
        index = index.get_level_values(_time_level(index))
    if isinstance(index, pd.IntervalIndex):
        return index.left.rename(index.name)
    return index if isinstance(index, pd.Index) else None


def places_in(name: str) -> Place:
    """Return a function that describes the position of a row of the data called ``name``."""
    return lambda row: f"{name}, row {row}"


def times_of(index: pd.Index[Any] | None, *, name: str) -> pd.Series[Any] | None:
    """Return the times that an index holds; None for row numbers, names and anything else that is not a time.

    Raises
    ------
    InvalidSequencesError
        If it holds times and one is missing or cannot be parsed.
    """
    if index is None or not len(index):
        return None
    column = _column(index)
    return read_times(column, places_in(name)) if _holds_times(column) or _are_compact_dates(column) else None


def _column(index: pd.Index[Any]) -> pd.Series[Any]:
    """Return an index as a column; bytes, as files of HDF5 hold texts, are decoded."""
    column: pd.Series[Any] = pd.Series(index, name=index.name or "index")
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "bytes":
        return column.str.decode("utf-8", errors="replace")
    return column


def _holds_times(column: pd.Series[Any]) -> bool:
    """Return whether a column has a type of times, or its first value looks like a time rather than a name."""
    dtype = column.dtype
    if pd.api.types.is_numeric_dtype(dtype) or isinstance(dtype, pd.IntervalDtype):
        return False
    if pd.api.types.is_string_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):  # objects too
        present = column[column.notna()]
        return len(present) > 0 and _looks_like_time(present.iloc[0])
    return True


def _are_compact_dates(column: pd.Series[Any]) -> bool:
    """Return whether all values are texts of the form YYYYMMDD; numbers of that form are checked as row numbers."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return False
    values = column.dropna()
    if not len(values) or not all(isinstance(value, str) and _COMPACT.fullmatch(value) for value in values):
        return False
    return read_times(values.astype("str"), str).dtype.kind == "M"


def refuse_panel(X: Any) -> None:
    """Raise for a table with a MultiIndex where each row would be treated as a separate sequence."""
    index = getattr(X, "index", None)
    if isinstance(index, pd.MultiIndex):
        raise InvalidSequencesError(
            f"X has an index with the levels {_levels(index)}, as tables with one row per time step have: "
            f"{_gathered('X', index)}. If each row is a separate sequence, call X.reset_index(drop=True)."
        )


def refuse_several(data: Any, *, name: str, owner: str) -> None:
    """Raise for data whose MultiIndex holds more than one series."""
    index = getattr(data, "index", None)
    if not isinstance(index, pd.MultiIndex):
        return
    n_series = index.droplevel(_time_level(index)).nunique()
    if n_series > 1:
        raise InvalidSequencesError(
            f"{name} has an index with the levels {_levels(index)} and {n_series} series, but {owner} takes one. "
            f"Select one with {name}.xs(...), make each a column with {name}.unstack(), or for estimators of sequences "
            f"{_gathered(name, index)}."
        )


def rows_by_series(index: pd.MultiIndex) -> dict[Any, NDArray[np.intp]]:
    """Return the positions of the rows of each series of a panel by its id, in order of appearance."""
    codes, ids = pd.factorize(index.droplevel(_time_level(index)))
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(1, len(ids)))
    return dict(zip(ids.tolist(), np.split(order, bounds)))


def id_levels(index: pd.MultiIndex) -> tuple[Any, ...]:
    """Return the names of the levels of a panel that identify a series."""
    time = _time_level(index)
    return tuple(name for i, name in enumerate(index.names) if i != time)


def _looks_like_time(value: Any) -> bool:
    """Return whether a value looks like a time rather than a name; text of digits only is ambiguous and not a time."""
    if isinstance(value, str) and value.strip().replace(".", "").isdigit():
        return False
    try:
        times = read_times(pd.Series([value]), str)
    except InvalidSequencesError:
        return False
    return times.dtype.kind in "Mm"


def _gathered(name: str, index: pd.MultiIndex) -> str:
    levels, time = _levels(index), _time_level(index)
    by = levels[0] if time else levels[-1]
    return f"gather them with Sequences.from_frame({name}.reset_index(), by={by!r}, order={levels[time]!r})"


def _time_level(index: pd.MultiIndex) -> int:
    """Return the last level that holds times, else the last level."""
    for i in reversed(range(index.nlevels)):
        if len(index.levels[i]) and _holds_times(_column(index.levels[i][:1])):
            return i
    return index.nlevels - 1


def _levels(index: pd.MultiIndex) -> list[Any]:
    return [f"level_{i}" if name is None else name for i, name in enumerate(index.names)]
