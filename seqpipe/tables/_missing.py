"""Handling of missing values in a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._table import Table, others
from seqpipe.tables._times import ordinals

__all__ = ["Missing", "without_missing"]

Missing = Literal["error", "interpolate", "forward", "drop"]

_LABEL_REMEDY = (
    "Labels are not filled: fill it in, or write 'missing: drop' under 'data:' in the recipe (drop the step)."
)
_REMEDY = (
    "Fill it in, or write one of these under 'data:' in the recipe: 'missing: interpolate' (linear interpolation over "
    "time), 'missing: forward' (the last value before it), 'missing: drop' (drop the step)."
)


def without_missing(table: Table, missing: Missing) -> Table:
    """Return an ordered long table without missing values in its features and targets.

    Raises
    ------
    InvalidSequencesError
        If values are missing and ``missing`` is "error", or cannot fill them.
    """
    columns = pd.Index(table.value_columns)
    absent = table.frame[columns].isna()
    if not absent.to_numpy().any():
        return table
    if missing == "error":
        raise _missing_error(table, absent, _REMEDY)
    if missing == "drop":
        return table.take(np.flatnonzero(~absent.any(axis=1)))
    numeric = [column for column in columns[absent.any()] if column in table.fillable_columns]
    values = table.frame[numeric]
    filled = values.groupby(table.codes).ffill() if missing == "forward" else _interpolated(table, values)
    complete = replace(table, frame=table.frame.assign(**{column: filled[column] for column in numeric}))
    absent = complete.frame[columns].isna()
    if absent.to_numpy().any():
        raise _missing_error(complete, absent, f"'missing: {missing}' found no value to fill it with: fill it in.")
    return complete


def _interpolated(table: Table, values: pd.DataFrame) -> pd.DataFrame:
    """Interpolate linearly over time; missing values at the ends take the nearest value."""
    times = np.arange(len(values)) if table.roles.time is None else ordinals(table.frame[table.roles.time])
    times = (times - times.min()).astype(np.float64)  # keeps the nanoseconds of present-day times distinct
    filled = values.to_numpy(dtype=np.float64, copy=True)
    for rows in pd.Series(table.codes).groupby(table.codes).indices.values():
        for column in np.flatnonzero(np.isnan(filled[rows]).any(axis=0)):
            here = filled[rows, column]
            known = ~np.isnan(here)
            if known.any():
                filled[rows, column] = np.interp(times[rows], times[rows][known], here[known])
    return pd.DataFrame(filled, index=values.index, columns=values.columns)


def _missing_error(table: Table, absent: pd.DataFrame, remedy: str) -> InvalidSequencesError:
    cells = absent.to_numpy()
    row, column = (int(i) for i in np.argwhere(cells)[0])
    if absent.columns[column] not in table.fillable_columns:
        remedy = _LABEL_REMEDY
    return InvalidSequencesError(
        f"{table.place(row)}: column {absent.columns[column]!r} is empty{others(int(cells.sum()))}. {remedy}"
    )
