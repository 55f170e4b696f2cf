"""The series in the data of a picture: the columns of a frame, for a panel those of each id."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

import pandas as pd

from seqpipe.tables import rows_by_id, times_by_id

__all__ = ["Key", "longest", "series_in", "title_of"]

#: The id of a series, None without ids, and the position of its column.
Key = tuple[Any, int]


def series_in(frame: pd.DataFrame) -> dict[Key, pd.Series]:
    """Return each series with its times as index, the columns of an id one after the other."""
    times = times_by_id(frame)
    return {
        (id, i): frame.iloc[rows, i].set_axis(times[id])
        for id, rows in rows_by_id(frame).items()
        for i in range(frame.shape[1])
    }


def longest(series: Mapping[Key, Sized]) -> str:
    """Return the length of several series, such as "12" or "up to 12"."""
    lengths = {len(each) for each in series.values()}
    return f"{max(lengths)}" if len(lengths) == 1 else f"up to {max(lengths)}"


def title_of(frame: pd.DataFrame, key: Key) -> str:
    """Return the column of a series, its id, or both."""
    id, i = key
    if id is None:
        return str(frame.columns[i])
    return str(id) if frame.shape[1] == 1 else f"{id}, {frame.columns[i]}"
