"""The columns to forecast of each series in the data of a task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.tables import rows_by_id, times_by_id
from seqpipe.tasks._task import TaskData

__all__ = ["in_order", "series_by_id", "series_of"]


def series_of(data: TaskData) -> pd.DataFrame:
    """Return the columns to forecast."""
    return pd.DataFrame(data.X if data.y is None else data.y)


def series_by_id(data: TaskData) -> dict[Any, pd.DataFrame]:
    """Return the columns to forecast of each series, with its times as index."""
    frame = series_of(data)
    times = times_by_id(frame)
    return {id: frame.iloc[rows].set_axis(times[id], axis=0) for id, rows in rows_by_id(frame).items()}


def in_order(X: pd.DataFrame, grouped: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values of shape (n_rows, n_columns) in the order of the rows of X, given those of each series in turn."""
    values = np.empty_like(grouped)
    values[np.concatenate(list(rows_by_id(X).values()))] = grouped
    return values
