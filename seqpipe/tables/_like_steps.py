"""Validation that the series of a panel have the same time step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._frequency import frequency_of
from seqpipe.tables._steps_ahead import even_step
from seqpipe.tables._times import ordinals

__all__ = ["check_like_steps"]

#: Fewest times whose step is compared.
_FEWEST = 3


def check_like_steps(indices: Mapping[Any, pd.Index[Any]], *, name: str) -> None:
    """Raise unless the times of all series have the same step, or none has one.

    Days and business days are alike, and so are the first and the last day of a month. Fewer than three times are not
    checked.

    Parameters
    ----------
    indices : mapping of id to Index
        The times of each series, in order.
    name : str
        Name of the data in error messages.

    Raises
    ------
    InvalidSequencesError
        If the steps of two series differ; the message names both.
    """
    steps = {id: _step(index) for id, index in indices.items() if len(index) >= _FEWEST}
    for id, step in steps.items():
        other, expected = next(iter(steps.items()))
        if not _alike(step, expected):
            raise InvalidSequencesError(
                f"{name}: the times of the series {other!r} {_described(expected)}, those of {id!r} {_described(step)}, but one "
                "model requires the same time step in all series: resample them to one, or forecast them separately."
            )


def _step(index: pd.Index[Any]) -> Any:
    """Return the frequency of dates, the step of numbers and elapsed times, None if there is none."""
    if isinstance(index, pd.DatetimeIndex):
        return frequency_of(index)
    step = even_step(ordinals(index))
    return pd.Timedelta(int(step), index.unit) if step is not None and isinstance(index, pd.TimedeltaIndex) else step


def _alike(step: Any, other: Any) -> bool:
    if step is None or other is None:
        return step is other
    if isinstance(step, BaseOffset) and isinstance(other, BaseOffset):
        return _unit(step) == _unit(other)
    return type(step) is type(other) and (bool(step == other) or _close(step, other))


def _close(step: Any, other: Any) -> bool:
    return isinstance(step, float) and bool(np.isclose(step, other, rtol=1e-3))


def _unit(frequency: BaseOffset) -> tuple[int, str]:
    """Return the number and name of the unit of a frequency, such as (1, "M") for month starts and month ends."""
    code = frequency.rule_code.partition("-")[0]
    if code == "B":
        code = "D"
    return frequency.n, code.removeprefix("B")[:-1] if code[-1] in "SE" else code


def _described(step: Any) -> str:
    if step is None:
        return "have no constant step"
    return f"have the frequency {step.freqstr!r}" if isinstance(step, BaseOffset) else f"have the step {step}"
