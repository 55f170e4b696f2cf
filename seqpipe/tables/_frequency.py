"""Inference of the frequency of dates, some of which may be missing, and the dates that follow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset, BusinessDay, Tick

__all__ = ["dates_from", "frequency_of", "on_business_days"]

#: Number of rows used to infer a frequency, and number of such parts of an index that are tried.
_PART, _PARTS = 3, 50


def frequency_of(index: pd.DatetimeIndex) -> BaseOffset | None:
    """Return the frequency of dates, of which less than half may be missing; None if there is none.

    Days without weekends are business days; holidays count as missing.
    """
    for frequency in _candidates(index):
        if frequency.rule_code == "D" and frequency.n == 1 and _skips_weekends(index):
            frequency = BusinessDay()
        if _is_mostly_full(index, frequency):
            return frequency
    return None


def _candidates(index: pd.DatetimeIndex) -> Iterator[BaseOffset]:
    """Yield the frequency of the whole index, then those of its parts, starting from the end."""
    seen = set()
    ends = range(len(index), max(len(index) - _PARTS, _PART - 1), -1)
    for part in chain([index], (index[end - _PART : end] for end in ends)):
        found = part.freq or pd.DatetimeIndex(part, freq="infer").freq
        if found is not None and found.freqstr not in seen:
            seen.add(found.freqstr)
            yield found


def _is_mostly_full(index: pd.DatetimeIndex, frequency: BaseOffset) -> bool:
    """Return whether all dates lie on the frequency, and more than half of its dates are present."""
    if isinstance(frequency, Tick) and index[-1] - index[0] >= 2 * len(index) * pd.Timedelta(frequency):
        return False
    dates = dates_from(index[0], frequency, end=index[-1])
    return bool(index.isin(dates).all()) and 2 * len(index) > len(dates)


def dates_from(
    start: pd.Timestamp, frequency: BaseOffset, *, end: pd.Timestamp | None = None, n_dates: int | None = None
) -> pd.DatetimeIndex:
    """Return dates from ``start`` on; steps of days or longer keep the local time, shorter ones are equidistant."""
    if start.tz is None or _counts_time(frequency):
        return _range(start, frequency, end, n_dates)
    local = _range(start.tz_localize(None), frequency, None if end is None else end.tz_localize(None), n_dates)
    return local.tz_localize(start.tz, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")


def _range(
    start: pd.Timestamp, frequency: BaseOffset, end: pd.Timestamp | None, n_dates: int | None
) -> pd.DatetimeIndex:
    bound: dict[str, Any] = {"periods": n_dates} if end is None else {"end": end}
    return pd.date_range(start, freq=frequency, **bound)


def _counts_time(frequency: BaseOffset) -> bool:
    return isinstance(frequency, Tick) and frequency.rule_code != "D"


def _skips_weekends(index: pd.DatetimeIndex) -> bool:
    """Return whether the dates span a weekend, and no date lies in one."""
    return on_business_days(index) and bool(_weeks(index).nunique() > 1)


def on_business_days(index: pd.DatetimeIndex) -> bool:
    return bool((index.day_of_week < 5).all())


def _weeks(index: pd.DatetimeIndex) -> pd.Index[Any]:
    return index.tz_localize(None).to_period("W")
