"""The split of series into training data and their held-out ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import ceil
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import check_like_steps, rows_by_id, times_by_id
from seqpipe.tasks._naive import seasonal_error
from seqpipe.tasks._series_by_id import series_by_id
from seqpipe.tasks._task import TaskData

__all__ = ["HeldOutSeries", "hold_out", "with_scales"]


@dataclass(frozen=True)
class HeldOutSeries(TaskData):
    """The held-out ends of series, with the scales of their errors.

    Attributes
    ----------
    scales : mapping of id to array of shape (n_columns,), or None
        The seasonal naive error of the training data of each series; a single series has the id None.
    """

    scales: Mapping[Any, NDArray[np.float64]] | None = None


def hold_out(data: TaskData, test_size: float | int) -> tuple[TaskData, TaskData]:
    """Return the training data, and the last rows of each series: a fraction, or a number of them.

    Raises
    ------
    InvalidSequencesError
        If the data is no series, or the time steps of the series of a panel differ.
    ValueError
        If one side of a series would be empty.
    """
    if not isinstance(data.X, pd.DataFrame):
        raise InvalidSequencesError(
            f"{data.name!r} holds samples, but forecasting needs a series: give a table with one row per time step."
        )
    rows = rows_by_id(data.X)
    if len(rows) > 1 and data.roles.time is not None:
        check_like_steps(times_by_id(data.X), name=repr(data.name))
    n_test = {id: _n_held_out(len(each), test_size, data, id) for id, each in rows.items()}
    train = np.concatenate([each[: -n_test[id]] for id, each in rows.items()])
    test = np.concatenate([each[-n_test[id] :] for id, each in rows.items()])
    return data.at(train), data.at(test)


def with_scales(test: TaskData, train: TaskData, season: int) -> HeldOutSeries:
    """Return held-out data with the scales of its errors, given its training data and the season in time steps."""
    common = {field.name: getattr(test, field.name) for field in fields(TaskData)}
    known = series_by_id(train)
    scales = {id: seasonal_error(series.to_numpy(dtype=np.float64), season) for id, series in known.items()}
    return HeldOutSeries(**common, scales=scales)


def _n_held_out(n_rows: int, test_size: float | int, data: TaskData, id: Any) -> int:
    """Return the number of rows of one series to hold out."""
    n_test = int(test_size) if isinstance(test_size, Integral) else ceil(n_rows * test_size)
    if 0 < n_test < n_rows:
        return n_test
    which = "" if id is None else f" of {data.roles.id or 'series'} {id!r}"
    most = f"a number from 1 to {n_rows - 1}" if n_rows > 1 else "no number of rows"
    leave_out = "" if id is None else ", or leave this series out"
    raise ValueError(
        f"test_size={test_size!r} would hold out {n_test} of {n_rows} rows{which}: give a fraction between 0 "
        f"and 1, or {most}{leave_out}."
    )
