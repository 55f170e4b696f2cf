"""Rows that have to be in order of time, as far as the index of pandas data tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._index import index_of, places_in, refuse_several, times_of
from seqpipe.tables._rising import check_rising, first_not_rising

__all__ = ["check_one_series", "check_steps_order"]

#: What pandas stores NaT as.
_MISSING = np.iinfo(np.int64).min


def check_one_series(X: Any, y: Any = None, *, owner: str) -> None:
    """Refuse rows that are not one series in order of time, or targets at other times than X.

    Row numbers must rise as times must: they fall or come twice where rows were shuffled, sorted by something else or put
    together.

    Raises
    ------
    InvalidSequencesError
        If the index of X or y has several series, does not rise, or both have times and these are not the same.
    """
    for name, data in (("X", X), ("y", y)):
        refuse_several(data, name=name, owner=owner)
        _check_times(data, name)
        _check_row_numbers(data, name)
    _check_same_times(X, y)


def check_steps_order(sequences: Iterable[Any], *, name: str = "X") -> None:
    """Refuse sequences whose steps are not in order of time, as far as an index of times tells.

    Row numbers tell nothing here: those of a table that was sorted before it was cut into sequences may fall.

    Raises
    ------
    InvalidSequencesError
        If times do not rise within a sequence.
    """
    for i, item in enumerate(sequences):
        if hasattr(item, "iloc"):
            _check_times(item, f"{name}[{i}]")


def _check_times(data: Any, name: str) -> None:
    index = index_of(data)
    if _rises(index):
        return
    times = times_of(index, name=name)
    if times is not None:
        check_rising(
            times,
            np.zeros(len(times), dtype=np.intp),
            places_in(name),
            written=pd.Series(index, name=times.name),
            if_falling=f"Sort the rows with {name}.sort_index().",
            if_doubled=f"Keep one row per time, such as with {name}[~{name}.index.duplicated()].",
        )


def _rises(index: pd.Index[Any] | None) -> bool:
    """Tell the common case, an index of pandas' times that is in order, from all others."""
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex | pd.TimedeltaIndex):
        return False
    numbers = index.asi8
    return not len(numbers) or bool(numbers[0] != _MISSING and (numbers[1:] > numbers[:-1]).all())


def _check_row_numbers(data: Any, name: str) -> None:
    index = index_of(data)
    if index is None or not pd.api.types.is_numeric_dtype(index.dtype) or pd.api.types.is_bool_dtype(index.dtype):
        return
    if isinstance(index, pd.RangeIndex) and index.step > 0:
        return
    numbers = index.to_numpy(dtype=np.float64, na_value=np.nan) if index.hasnans else index.to_numpy()
    row = first_not_rising(pd.Series(numbers))
    if row is not None:
        raise InvalidSequencesError(
            f"The rows of {name} must be in order of time, but the row number {index[row]} follows {index[row - 1]} at position "
            f"{row}. Bring them into order with {name}.sort_index() (train_test_split and other splitters shuffle rows unless "
            f"told not to); if they are in order, say so with {name}.reset_index(drop=True)."
        )


def _check_same_times(X: Any, y: Any) -> None:
    """Refuse X and y that both have times, and not the same instants row by row."""
    times, target_times = times_of(index_of(X), name="X"), times_of(index_of(y), name="y")
    if times is None or target_times is None or len(times) != len(target_times):
        return
    dtypes = times.dtype, target_times.dtype
    of_kind = dtypes[0].kind == dtypes[1].kind
    zoned, _ = has_zone = [getattr(dtype, "tz", None) is not None for dtype in dtypes]
    if of_kind and has_zone[0] != has_zone[1]:
        with_zone, without = ("X", "y") if zoned else ("y", "X")
        raise InvalidSequencesError(
            f"The times of {with_zone} have a zone and those of {without} have none: give it one with {without}.tz_localize(...)."
        )
    if not of_kind or (times.to_numpy() != target_times.to_numpy()).any():
        raise InvalidSequencesError("X and y have other times: align them, as with y.reindex(X.index).")
