"""The end of a series in time, as plain values, and the times that may follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import pandas as pd

from seqpipe.saved import Items, Plain, Schema, TextOf, optional
from seqpipe.tables._continuation import check_continues
from seqpipe.tables._index import times_of
from seqpipe.tables._steps_ahead import index_after
from seqpipe.tables._times import read_times

__all__ = ["LastTimes"]

#: Number of times of a series that suffice to infer its frequency.
_TAIL = 10


@dataclass(frozen=True)
class LastTimes:
    """The last times of a series, in types that every file format holds.

    Attributes
    ----------
    times : tuple of str or number
        The times; text in ISO 8601 for dates and elapsed times. Empty for a series without times.
    zone : str or None
        Name of their time zone, which cannot be derived from their offsets.
    name : str or None
        Name of the index.
    period : str or None
        Frequency of the periods that begin at these times, for a series of periods.
    """

    times: tuple[Any, ...] = ()
    zone: str | None = None
    name: str | None = None
    period: str | None = None
    _saved: ClassVar[dict[str, Schema]] = {
        "times": Items(Plain(largest=2**63), most=1000),
        **dict.fromkeys(("zone", "name", "period"), optional(TextOf(most=200))),
    }

    @classmethod
    def of(cls, index: pd.Index[Any] | None) -> Self:
        """Return the end of an index of times or numbers; nothing for None, and for an index of anything else."""
        if index is None or not len(index):
            return cls()
        last = index[-_TAIL:]
        period = last.freqstr if isinstance(last, pd.PeriodIndex) else None
        times = times_of(last, name="X")
        if times is not None:
            last = pd.Index(times)
        elif not pd.api.types.is_numeric_dtype(last.dtype) or pd.api.types.is_bool_dtype(last.dtype):
            return cls()
        return cls(_plain(last), _zone(last), None if index.name is None else str(index.name), period)

    @property
    def index(self) -> pd.Index[Any]:
        """The times as an index; that of periods holds their beginnings."""
        times = pd.Series(list(self.times), name=self.name)
        if self.has_times:
            times = read_times(times, "last time {}".format)
        if self.zone is not None:
            times = times.dt.tz_convert(self.zone)
        return pd.Index(times)

    @property
    def has_times(self) -> bool:
        """Whether these are dates or elapsed times: numbers may be mere row numbers."""
        return any(isinstance(time, str) for time in self.times)

    def after(self, n_steps: int) -> pd.Index[Any]:
        """Return the index of the steps after the end: their times, or numbers from 1 if there is no frequency."""
        if not self.times:
            return pd.RangeIndex(1, n_steps + 1, name="step")
        if self.period is not None:
            last = pd.Period(self.times[-1], freq=self.period)
            return pd.period_range(last + 1, periods=n_steps, name=self.name)
        return index_after(self.index, n_steps)

    def check_followed_by(self, index: pd.Index[Any] | None, *, name: str, what: str) -> None:
        """Raise unless rows with an index of times directly follow; other rows are not checked.

        Raises
        ------
        InvalidSequencesError
            If a row is not at the time of the next step; the message names it.
        """
        times = times_of(index, name=name)
        if self.has_times and times is not None:
            check_continues(self.index, pd.Index(times), name=name, what=what)

    def then(self, following: LastTimes) -> LastTimes:
        """Return the end of the series once rows with these times have followed."""
        if not self.times or not following.times:
            return LastTimes()
        times = (*self.times, *following.times)[-_TAIL:]
        return LastTimes(times, following.zone or self.zone, self.name, self.period)


def _plain(index: pd.Index[Any]) -> tuple[Any, ...]:
    if isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex):
        return tuple(time.isoformat() for time in index)
    return tuple(index.tolist())


def _zone(index: pd.Index[Any]) -> str | None:
    zone = getattr(index, "tz", None)
    return getattr(zone, "key", None) or getattr(zone, "zone", None)  # zoneinfo and pytz, respectively
