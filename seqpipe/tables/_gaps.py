"""Detection of gaps in the times of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.tables._frequency import on_business_days
from seqpipe.tables._times import ordinals

__all__ = ["Gaps", "time_gaps"]

_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Gaps:
    """Number of gaps, and of sequences with gaps; ``step`` is the usual distance between times."""

    n_gaps: int
    n_sequences: int
    step: object


def time_gaps(times: pd.Series[Any], codes: NDArray[Any]) -> Gaps | None:
    """Return the gaps, where times are further apart than usual; None if no sequence has two times.

    Weekends are not gaps if no time lies in one and the usual step is a day.

    Parameters
    ----------
    times : Series of length n_rows
        As returned by `read_times`, increasing within each sequence.
    codes : array of int, shape (n_rows,)
        Index of the sequence of each row; the rows of a sequence are adjacent.
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
        if usual == _DAY and times.dtype.kind == "M" and on_business_days(pd.DatetimeIndex(times)):
            wide = same & (_business_days_between(pd.DatetimeIndex(times)) > 1)
            usual = "business day"
    return Gaps(int(wide.sum()), len(np.unique(codes[1:][wide])), usual)


def _business_days_between(index: pd.DatetimeIndex) -> NDArray[np.int64]:
    days = index.tz_localize(None).to_numpy().astype("datetime64[D]")
    return np.busday_count(days[:-1], days[1:])
