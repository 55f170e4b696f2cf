"""Validation that rows are in order of time, by the index of pandas data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._index import index_of, places_in, refuse_several, times_of
from seqpipe.tables._rising import check_rising, first_not_rising
from seqpipe.tables._times import refuse_missing

__all__ = ["check_one_series", "check_steps_order"]

#: The integer that pandas stores for NaT.
_MISSING = np.iinfo(np.int64).min


def check_one_series(X: Any, y: Any = None, *, owner: str) -> None:
    """Raise unless the rows are one series in order of time, and targets have the same times as X.

    Row numbers must increase as times must: they decrease or repeat if rows were shuffled, sorted by another column or
    concatenated.

    Raises
    ------
    InvalidSequencesError
        If the index of X or y has several series, does not increase, or both have times and these differ.
    """
    for name, data in (("X", X), ("y", y)):
        refuse_several(data, name=name, owner=owner)
        _check_times(data, name)
        _check_row_numbers(data, name)
    _check_same_times(X, y)


def check_steps_order(sequences: Iterable[Any], *, name: str = "X") -> None:
    """Raise for sequences whose steps are not in order of time, if they have an index of times.

    Row numbers are not checked: they may decrease if a table was sorted before it was split into sequences.

    Raises
    ------
    InvalidSequencesError
        If times do not increase within a sequence.
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
    """Return whether this is the common case, an index of pandas times in order."""
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
    refuse_missing(pd.Series(index, name=index.name or "index"), places_in(name))
    row = first_not_rising(pd.Series(index.to_numpy()))
    if row is not None:
        raise InvalidSequencesError(
            f"The rows of {name} must be in order of time, but the row number {index[row]} follows {index[row - 1]} at position "
            f"{row}. Sort them with {name}.sort_index() (train_test_split and other splitters shuffle rows by "
            f"default); if they are in order, call {name}.reset_index(drop=True)."
        )


def _check_same_times(X: Any, y: Any) -> None:
    """Raise if X and y both have times and these differ in any row."""
    times, target_times = times_of(index_of(X), name="X"), times_of(index_of(y), name="y")
    if times is None or target_times is None or len(times) != len(target_times):
        return
    dtypes = times.dtype, target_times.dtype
    of_kind = dtypes[0].kind == dtypes[1].kind
    zoned, _ = has_zone = [getattr(dtype, "tz", None) is not None for dtype in dtypes]
    if of_kind and has_zone[0] != has_zone[1]:
        with_zone, without = ("X", "y") if zoned else ("y", "X")
        raise InvalidSequencesError(
            f"The times of {with_zone} have a time zone and those of {without} do not: use {without}.tz_localize(...)."
        )
    if not of_kind or (times.to_numpy() != target_times.to_numpy()).any():
        raise InvalidSequencesError("X and y have different times: align them, for example with y.reindex(X.index).")
