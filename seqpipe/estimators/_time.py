"""What the index of a pandas object tells of time: rows of a series must come in its order."""

from __future__ import annotations

from typing import Any

import pandas as pd

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["check_time"]


def _times(X: Any) -> pd.Index[Any] | None:
    index = getattr(X, "index", None)
    return index if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex | pd.TimedeltaIndex) else None


def check_time(X: Any, y: Any) -> None:
    """Refuse rows that are not in the order of their times, or targets at other times than X."""
    for name, data in (("X", X), ("y", y)):
        times = _times(data)
        if times is not None and not (times.is_monotonic_increasing and times.is_unique):
            raise InvalidSequencesError(
                f"The times of {name} must rise from row to row: sort it with sort_index(), and keep one row a time."
            )
    times, target_times = _times(X), _times(y)
    if times is not None and target_times is not None and not times.equals(target_times):
        raise InvalidSequencesError("X and y have other times: align them, as with y.reindex(X.index).")
