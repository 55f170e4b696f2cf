"""A table's rows put together by sequence and checked to rise in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._table import Table, others

__all__ = ["Gaps", "ordered", "time_gaps"]


@dataclass(frozen=True)
class Gaps:
    """How many steps of time are left out, in how many sequences; ``step`` is the usual distance."""

    n_gaps: int
    n_sequences: int
    step: object


def ordered(table: Table, *, sort: bool) -> Table:
    """Return the table with each id's rows together and rising in time.

    Raises
    ------
    InvalidSequencesError
        If an id or time is missing, a time cannot be read or comes twice in an id, or rows do not rise and ``sort``
        does not allow to reorder them.
    """
    roles = table.roles
    for column in (roles.id, roles.time):
        if column is not None:
            _check_present(table, column)
    if roles.time is None:
        return table.take(np.argsort(table.codes, kind="stable"))
    table = table.with_column(roles.time, _as_time(table, roles.time))
    times = table.frame[roles.time].to_numpy()
    together = table.take(np.argsort(table.codes, kind="stable"))
    rising = table.take(np.lexsort((times, table.codes)))
    if not sort:
        _check_sorted(together)
    _check_unique(rising)
    return rising


def time_gaps(table: Table) -> Gaps | None:
    """Return where an ordered table's time steps are wider than usual, or None without a time column."""
    if table.roles.time is None:
        return None
    steps, same = _steps(table)
    if not same.any():
        return None
    usual = pd.Series(steps[same]).median()
    wide = same & (steps > 1.5 * usual)
    return Gaps(int(wide.sum()), len(np.unique(table.codes[1:][wide])), usual)


def _check_present(table: Table, column: str) -> None:
    absent = table.frame[column].isna().to_numpy()
    if absent.any():
        place = table.place(int(np.argmax(absent)))
        raise InvalidSequencesError(
            f"{place}: column {column!r} is empty{others(int(absent.sum()))}. Every row needs it: fill it in."
        )


def _as_time(table: Table, column: str) -> pd.Series:
    times = table.frame[column]
    if pd.api.types.is_integer_dtype(times):  # the difference of two small or unsigned integers wraps
        return times.astype("int64" if times.max() <= np.iinfo(np.int64).max else "float64")
    if pd.api.types.is_numeric_dtype(times) or pd.api.types.is_datetime64_any_dtype(times):
        return times
    dates = pd.to_datetime(times, format="ISO8601", errors="coerce")
    if dates.isna().any():
        row = int(np.argmax(dates.isna()))
        raise InvalidSequencesError(
            f"{table.place(row)}: column {column!r} holds {times.iloc[row]!r}, which is no time. "
            "Write numbers, or dates such as 2024-05-31 or 2024-05-31T12:00:00."
        )
    return dates


def _steps(table: Table) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the distance of each row's time to the one before, and whether both are of one sequence."""
    times = table.frame[table.roles.time].to_numpy()
    return times[1:] - times[:-1], table.codes[1:] == table.codes[:-1]


def _check_sorted(table: Table) -> None:
    times = table.frame[table.roles.time]
    steps, same = _steps(table)
    falls = np.flatnonzero(same & (steps < steps.dtype.type(0)))
    if len(falls):
        row = int(falls[0]) + 1
        raise InvalidSequencesError(
            f"{table.place(row)}: the rows are not in the order of {table.roles.time!r}: {times.iloc[row]} follows "
            f"{times.iloc[row - 1]}. Sort the file, or write 'sort: true' under 'data:' in the recipe."
        )


def _check_unique(table: Table) -> None:
    steps, same = _steps(table)
    doubles = np.flatnonzero(same & (steps == steps.dtype.type(0)))
    if len(doubles):
        row = int(doubles[0]) + 1
        time = table.frame[table.roles.time].iloc[row]
        raise InvalidSequencesError(
            f"{table.place(row)}: {table.roles.time!r} is {time} a second time ({table.place(row - 1)} has it too). "
            "A sequence has one row a time: remove one of the two."
        )
