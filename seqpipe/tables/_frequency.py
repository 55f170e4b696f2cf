"""How far apart times usually are, where steps are left out, and which times come next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BaseOffset, BusinessDay, Tick

from seqpipe.tables._times import ordinals

__all__ = ["Gaps", "frequency_of", "index_after", "season_of", "time_gaps"]

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
#: Rows that tell a frequency, and how many such parts of an index are asked.
_PART, _PARTS = 3, 50
#: Share of a step by which numbers may miss it: dates of a spreadsheet are days, rounded.
_UNEVEN = 1e-3
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Gaps:
    """How many steps of time are left out, in how many sequences; ``step`` is the usual distance."""

    n_gaps: int
    n_sequences: int
    step: object


def time_gaps(times: pd.Series[Any], codes: NDArray[Any]) -> Gaps | None:
    """Return where times are further apart than usual; None where no sequence has two.

    Weekends are no gaps where no time lies in one and a step is usually a day.

    Parameters
    ----------
    times : Series of length n_rows
        Out of `read_times`, rising within each sequence.
    codes : array of int, shape (n_rows,)
        The sequence of each row; those of a sequence stand together.
    """
    numbers = ordinals(times)
    same = codes[1:] == codes[:-1]
    if not same.any():
        return None
    steps = numbers[1:] - numbers[:-1]
    usual: Any = pd.Series(steps[same]).median()
    wide = same & (steps > 1.5 * usual)
    if times.dtype.kind in "Mm":
        usual = pd.Timedelta(usual, unit=pd.Index(times).unit)
        if usual == _DAY and times.dtype.kind == "M" and _on_business_days(pd.DatetimeIndex(times)):
            wide = same & (_business_days_between(pd.DatetimeIndex(times)) > 1)
            usual = "business day"
    return Gaps(int(wide.sum()), len(np.unique(codes[1:][wide])), usual)


def index_after(index: pd.Index[Any], n_steps: int) -> pd.Index[Any]:
    """Return the index of the steps after the end.

    Dates go on at their frequency, as days and longer steps do by the local calendar, numbers and elapsed times at their
    step; where there is none the steps are counted from 1.
    """
    ahead: pd.Index[Any] | None = None
    if isinstance(index, pd.DatetimeIndex):
        frequency = frequency_of(index)
        if frequency is not None:
            ahead = _dates(index[-1], frequency, n_dates=n_steps + 1)[1:]
    elif isinstance(index, pd.TimedeltaIndex) or pd.api.types.is_numeric_dtype(index.dtype):
        step = _even_step(ordinals(index))
        if step is not None:
            unit = pd.Timedelta(int(step), index.unit) if isinstance(index, pd.TimedeltaIndex) else step
            ahead = pd.Index(index[-1] + unit * np.arange(1, n_steps + 1))
    return pd.RangeIndex(1, n_steps + 1, name="step") if ahead is None else ahead.rename(index.name)


def _even_step(numbers: NDArray[Any]) -> Any:
    """Return the step of numbers of which less than half may be missing; None where there is none."""
    if len(numbers) < 2:
        return None
    steps = np.diff(numbers)
    counts = np.rint(steps / steps.min())
    if not np.allclose(steps, counts * steps.min(), rtol=_UNEVEN) or counts.sum() + 1 >= 2 * len(numbers):
        return None
    return steps.min() if steps.dtype.kind in "iu" else (numbers[-1] - numbers[0]) / counts.sum()


def season_of(index: pd.Index[Any]) -> int:
    """Return the steps of a season: a year of months, quarters or weeks, a week of days, a day of hours."""
    frequency = frequency_of(index) if isinstance(index, pd.DatetimeIndex) else None
    if frequency is None or frequency.n != 1:  # nothing repeats that is known of
        return 1
    return _SEASONS.get(frequency.rule_code.partition("-")[0], 1)


def frequency_of(index: pd.DatetimeIndex) -> BaseOffset | None:
    """Return the frequency of dates, of which less than half may be missing; None where there is none.

    Days without a weekend are business days, whose holidays are missing ones.
    """
    for frequency in _candidates(index):
        if frequency.rule_code == "D" and frequency.n == 1 and _skips_weekends(index):
            frequency = BusinessDay()
        if _is_mostly_full(index, frequency):
            return frequency
    return None


def _candidates(index: pd.DatetimeIndex) -> Iterator[BaseOffset]:
    """Give the frequency of the whole index, then those of its parts from the end on."""
    seen = set()
    ends = range(len(index), max(len(index) - _PARTS, _PART - 1), -1)
    for part in (index, *(index[end - _PART : end] for end in ends)):
        found = part.freq or pd.DatetimeIndex(part, freq="infer").freq
        if found is not None and found.freqstr not in seen:
            seen.add(found.freqstr)
            yield found


def _is_mostly_full(index: pd.DatetimeIndex, frequency: BaseOffset) -> bool:
    """Tell whether every date is one of the frequency's, and more than half of those are there."""
    if _counts_time(frequency) and (index[-1] - index[0]) / pd.Timedelta(frequency) >= 2 * len(index):
        return False
    dates = _dates(index[0], frequency, end=index[-1])
    return bool(index.isin(dates).all()) and 2 * len(index) > len(dates)


def _dates(
    start: pd.Timestamp, frequency: BaseOffset, *, end: pd.Timestamp | None = None, n_dates: int | None = None
) -> pd.DatetimeIndex:
    """Return dates from ``start`` on; days and longer steps keep the time of day, hours and shorter ones pass evenly."""
    if start.tz is None or _counts_time(frequency):
        return pd.date_range(start, end, periods=n_dates, freq=frequency)
    last = None if end is None else end.tz_localize(None)
    local = pd.date_range(start.tz_localize(None), last, periods=n_dates, freq=frequency)
    return local.tz_localize(start.tz, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")


def _counts_time(frequency: BaseOffset) -> bool:
    return isinstance(frequency, Tick) and frequency.rule_code != "D"


def _skips_weekends(index: pd.DatetimeIndex) -> bool:
    """Tell whether a weekend lies between the dates, and no date in one."""
    return _on_business_days(index) and bool(_weeks(index).nunique() > 1)


def _on_business_days(index: pd.DatetimeIndex) -> bool:
    return bool((index.day_of_week < 5).all())


def _weeks(index: pd.DatetimeIndex) -> pd.Index[Any]:
    return index.tz_localize(None).to_period("W")


def _business_days_between(index: pd.DatetimeIndex) -> NDArray[np.int64]:
    days = index.tz_localize(None).to_numpy().astype("datetime64[D]")
    return np.busday_count(days[:-1], days[1:])
