"""Validation that times increase within each sequence."""

from __future__ import annotations

from typing import Any

import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._times import ordinals
from seqpipe.tables._zones import Place

__all__ = ["check_rising", "first_not_rising"]

_HOUR, _DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)


def check_rising(
    times: pd.Series[Any],
    codes: NDArray[Any],
    place: Place,
    *,
    written: pd.Series[Any],
    if_falling: str,
    if_doubled: str,
) -> None:
    """Raise `InvalidSequencesError` unless times are strictly increasing within each sequence.

    Parameters
    ----------
    times : Series of length n_rows
        As returned by `read_times`.
    codes : array of int, shape (n_rows,)
        Index of the sequence of each row; the rows of a sequence are adjacent.
    place : callable
        Describes the row at a position.
    written : Series of length n_rows
        The times as the user wrote them, with the user's column name.
    if_falling, if_doubled : str
        Remedy for a time that is earlier than the previous one, and for a duplicated time.
    """
    row = first_not_rising(times, codes)
    if row is None:
        return
    before, after = written.iloc[row - 1], written.iloc[row]
    remedy = _for_clocks(times.iloc[row - 1], times.iloc[row])
    if ordinals(times)[row] == ordinals(times)[row - 1]:
        what = f"{written.name!r} is {after} a second time ({place(row - 1)} has it too). {remedy or if_doubled}"
    else:
        what = f"the rows are not in the order of {written.name!r}: {after} follows {before}. {remedy or if_falling}"
    raise InvalidSequencesError(f"{place(row)}: {what}")


def first_not_rising(times: pd.Series[Any], codes: NDArray[Any] | None = None) -> int | None:
    """Return the first row whose time is not after that of the previous row of its sequence; None if all increase."""
    numbers = ordinals(times)
    wrong = numbers[1:] <= numbers[:-1]
    if codes is not None:
        wrong &= codes[1:] == codes[:-1]
    return int(wrong.argmax()) + 1 if wrong.any() else None


def _for_clocks(before: Any, after: Any) -> str | None:
    """Return the remedy for a clock that was set back, or restarted; None if times decrease for other reasons."""
    if isinstance(after, pd.Timedelta) and before < _DAY < 2 * (before - after):
        return "Clock times restart at midnight: give the dates as well."
    if isinstance(after, pd.Timestamp) and after.tzinfo is None and 0 < after.hour < 4 and before - after <= _HOUR:
        return (
            "If this is the end of daylight saving time, when an hour repeats, write times in UTC or with their "
            "offset, such as 2024-10-27T02:30+01:00; else keep one row per time, in order."
        )
    return None
