"""Continuation of the times of a series: the step, the times after the end, and the length of a season."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.tables._frequency import dates_from, frequency_of
from seqpipe.tables._times import ordinals

__all__ = ["even_step", "index_after", "n_left_out", "season_of", "times_after"]

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
#: Tolerance for numbers as times, as a fraction of a step: dates of a spreadsheet are rounded days.
_UNEVEN = 1e-3


def index_after(index: pd.Index[Any], n_steps: int) -> pd.Index[Any]:
    """Return the index of the steps after the end: their times, or numbers from 1 if there is no frequency."""
    ahead = times_after(index, n_steps)
    return pd.RangeIndex(1, n_steps + 1, name="step") if ahead is None else ahead


def times_after(index: pd.Index[Any], n_steps: int) -> pd.Index[Any] | None:
    """Return the times of the steps after the end; None if there is no frequency.

    Dates continue at their frequency, steps of days or longer in local time; numbers and elapsed times at their step.
    """
    ahead: pd.Index[Any] | None = None
    if isinstance(index, pd.DatetimeIndex):
        frequency = frequency_of(index)
        if frequency is not None:
            ahead = dates_from(index[-1], frequency, n_dates=n_steps + 1)[1:]
    elif isinstance(index, pd.TimedeltaIndex) or pd.api.types.is_numeric_dtype(index.dtype):
        step = even_step(ordinals(index))
        if step is not None:
            unit = pd.Timedelta(int(step), index.unit) if isinstance(index, pd.TimedeltaIndex) else step
            ahead = pd.Index(index[-1] + unit * np.arange(1, n_steps + 1))
    return None if ahead is None else ahead.rename(index.name)


def season_of(index: pd.Index[Any]) -> int:
    """Return the number of steps of a season: a year of months, quarters or weeks, a week of days, a day of hours."""
    frequency = frequency_of(index) if isinstance(index, pd.DatetimeIndex) else None
    if frequency is None or frequency.n != 1:  # no known season
        return 1
    return _SEASONS.get(frequency.rule_code.partition("-")[0], 1)


def n_left_out(index: pd.Index[Any]) -> int:
    """Return the number of missing steps between the first and last time, for an index with a frequency or a step."""
    if isinstance(index, pd.DatetimeIndex):
        frequency = frequency_of(index)
        return 0 if frequency is None else len(dates_from(index[0], frequency, end=index[-1])) - len(index)
    return int(_counts(ordinals(index)).sum()) - len(index) + 1


def even_step(numbers: NDArray[Any]) -> Any:
    """Return the step of numbers, of which less than half may be missing; None if there is none."""
    if len(numbers) < 2:
        return None
    steps, counts = np.diff(numbers), _counts(numbers)
    if not np.allclose(steps, counts * steps.min(), rtol=_UNEVEN) or counts.sum() + 1 >= 2 * len(numbers):
        return None
    return steps.min() if steps.dtype.kind in "iu" else (numbers[-1] - numbers[0]) / counts.sum()


def _counts(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return the differences of consecutive numbers in units of the smallest step."""
    steps = np.diff(numbers)
    return np.rint(steps / steps.min()) if len(steps) else steps
