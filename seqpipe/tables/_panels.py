"""The series of a frame by their ids; a single series, whose index has no ids, has the id None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.tables._index import index_of, rows_by_series

__all__ = ["index_by_id", "rows_by_id", "times_by_id"]


def rows_by_id(frame: pd.DataFrame) -> dict[Any, NDArray[np.intp]]:
    """Return the positions of the rows of each series, in order of appearance."""
    return rows_by_series(frame.index) if isinstance(frame.index, pd.MultiIndex) else {None: np.arange(len(frame))}


def times_by_id(frame: pd.DataFrame) -> dict[Any, pd.Index[Any]]:
    """Return the times of the rows of each series."""
    times = index_of(frame)
    assert times is not None
    return {id: times[rows] for id, rows in rows_by_id(frame).items()}


def index_by_id(times: Mapping[Any, pd.Index[Any]], id: Any) -> pd.Index[Any]:
    """Return the index of rows with these times; of a panel, whose ids have the name ``id``, a MultiIndex."""
    if None in times:
        return times[None]
    return pd.concat({each: pd.DataFrame(index=index) for each, index in times.items()}, names=[id]).index
