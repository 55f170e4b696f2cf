"""Validation of rows that must continue a series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BusinessDay

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._frequency import frequency_of
from seqpipe.tables._steps_ahead import n_left_out, times_after
from seqpipe.tables._times import ordinals

__all__ = ["check_continues"]

#: Tolerance for numbers as times, as a fraction of a step, since they may have been rounded.
_ROUNDED = 1e-3


def check_continues(known: pd.Index[Any], given: pd.Index[Any], *, name: str, what: str = "rows to forecast") -> None:
    """Raise unless the given times directly follow the series, where a forecast begins.

    If the series leaves steps out, or has business days only, so may the rows that follow it, up to every second one.

    Parameters
    ----------
    known : Index of length n_timesteps
        The last times of the series.
    given : Index of length n_steps
        Times that should follow, in order.
    name : str
        Name of the data in error messages.
    what : str
        What the rows are, in error messages.

    Raises
    ------
    InvalidSequencesError
        If the times are of another kind, or a row is not at the time of the next step of the series.
    """
    _check_kind(known, given, name, what)
    expected = times_after(known, 2 * len(given))
    if expected is None:  # the only requirement is that they are later
        wrong = np.asarray(given <= known[-1])
    elif _leaves_steps_out(known):
        wrong = ~_are_among(given, expected)
    else:
        wrong = ~_are_at(given, expected)
    if wrong.any():
        row = int(wrong.argmax())
        where = "after it" if expected is None else f"at {expected[row]}"
        n_known = int((given <= known[-1]).sum())
        remedy = f" Leave out the {n_known:,} rows up to {known[-1]}, which are known already." if n_known else ""
        raise InvalidSequencesError(
            f"{name}: the {what} must continue from {known[-1]}, the end of the known rows: row {row + 1} "
            f"must be {where}. Got {given[row]} instead.{remedy}"
        )


def _check_kind(known: pd.Index[Any], given: pd.Index[Any], name: str, what: str) -> None:
    kinds = _kind(known), _kind(given)
    if kinds[0] != kinds[1]:
        raise InvalidSequencesError(
            f"{name}: the training data have {kinds[0]} such as {known[-1]}, the {what} {kinds[1]} such as {given[0]}: "
            "both must be of the same kind."
        )


def _kind(index: pd.Index[Any]) -> str:
    if isinstance(index, pd.DatetimeIndex):
        return "times without a time zone" if index.tz is None else "times with a time zone"
    return "elapsed times" if isinstance(index, pd.TimedeltaIndex) else "numbers as times"


def _leaves_steps_out(known: pd.Index[Any]) -> bool:
    if isinstance(known, pd.DatetimeIndex) and isinstance(frequency_of(known), BusinessDay):
        return True  # holidays, which cannot be predicted
    return n_left_out(known) > 0


def _are_at(given: pd.Index[Any], expected: pd.Index[Any]) -> NDArray[np.bool_]:
    following = expected[: len(given)]
    if given.dtype.kind in "mM":
        return np.asarray(given == following)
    return np.isclose(ordinals(given), ordinals(following), rtol=0, atol=_tolerance(expected))


def _are_among(given: pd.Index[Any], expected: pd.Index[Any]) -> NDArray[np.bool_]:
    if given.dtype.kind in "mM":
        return np.asarray(given.isin(expected))
    distances = np.abs(ordinals(given)[:, None] - ordinals(expected))
    return np.asarray(distances.min(axis=1) <= _tolerance(expected))


def _tolerance(expected: pd.Index[Any]) -> float:
    return _ROUNDED * float(expected[1] - expected[0])
