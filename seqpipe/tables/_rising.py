"""Times that must rise from row to row of the same sequence."""

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
    """Raise `InvalidSequencesError` unless times rise strictly within each sequence.

    Parameters
    ----------
    times : Series of length n_rows
        Out of `read_times`.
    codes : array of int, shape (n_rows,)
        The sequence of each row; those of a sequence stand together.
    place : callable
        Gives words for the row at a position.
    written : Series of length n_rows
        The times as the user wrote them, by the name that the user gave them.
    if_falling, if_doubled : str
        What to do about a time that is earlier than the one before, and about one that comes twice.
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
    """Return the first row whose time is not after that of the row before in the same sequence; None if all rise."""
    numbers = ordinals(times)
    wrong = numbers[1:] <= numbers[:-1]
    if codes is not None:
        wrong &= codes[1:] == codes[:-1]
    return int(wrong.argmax()) + 1 if wrong.any() else None


def _for_clocks(before: Any, after: Any) -> str | None:
    """Return what to do about a clock that was put back, or began again; None where times fall for other reasons."""
    if isinstance(after, pd.Timedelta) and before < _DAY < 2 * (before - after):
        return "A clock begins again at midnight: give the dates as well."
    if isinstance(after, pd.Timestamp) and after.tzinfo is None and 0 < after.hour < 4 and before - after <= _HOUR:
        return (
            "If this is the end of summer time, when local clocks show an hour twice, write times in UTC or with their offset, "
            "such as 2024-10-27T02:30+01:00; else keep one row per time, in order."
        )
    return None
