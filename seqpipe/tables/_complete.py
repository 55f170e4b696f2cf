"""Validation that no time of a series is missing."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas.tseries.offsets import BaseOffset, BusinessDay, Tick

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._frequency import dates_from, frequency_of
from seqpipe.tables._index import times_of

__all__ = ["check_complete"]

#: When clocks are put forward: on a Sunday in March or April, south of the equator from August to October, by 3 o'clock.
_SUNDAY, _LATEST_TURN, _SPRING = 6, 3, (3, 4, 8, 9, 10)


def check_complete(index: pd.Index[Any] | None, *, name: str, remedy: str | None = None) -> None:
    """Raise if a date is missing between the first and the last one, at their inferred frequency.

    Dates without a frequency, and other indices, are not checked. Business days may be missing: they are holidays.

    Parameters
    ----------
    index : Index or None
        The index, in order.
    name : str
        Name of the data in error messages.
    remedy : str, optional
        How to insert missing rows; by default with pandas.

    Raises
    ------
    InvalidSequencesError
        If a date is missing; the message names the first one, and the remedy.
    """
    times = times_of(index, name=name)
    if times is None or times.dtype.kind != "M":
        return
    dates = pd.DatetimeIndex(times)
    frequency = frequency_of(dates)
    if frequency is None or isinstance(frequency, BusinessDay):
        return
    missing = dates_from(dates[0], frequency, end=dates[-1]).difference(dates)
    if len(missing):
        more = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        remedy = remedy or f"Insert them, such as with {name}.asfreq({frequency.freqstr!r}).interpolate()."
        raise InvalidSequencesError(
            f"{name} has no row for {missing[0]}{more}, and the frequency of its dates is {frequency.freqstr!r}: "
            f"a forecast requires every row. {remedy}{_skipped(missing, frequency)}"
        )


def _skipped(missing: pd.DatetimeIndex, frequency: BaseOffset) -> str:
    """Return the remedy for the hour that daylight saving time skips, if the missing local times may lie in one; else nothing."""
    if missing.tz is not None or not isinstance(frequency, Tick) or pd.Timedelta(frequency) > pd.Timedelta("1h"):
        return ""
    in_turns = (missing.day_of_week == _SUNDAY) & (missing.hour < _LATEST_TURN) & missing.month.isin(_SPRING)
    hours = missing.floor("h").unique()
    if not in_turns.all() or hours.normalize().has_duplicates:
        return ""
    return (
        " But if this is the start of daylight saving time, when an hour is skipped, write times in UTC or with their offset, such "
        "as 2024-03-31T03:00+02:00, instead."
    )
