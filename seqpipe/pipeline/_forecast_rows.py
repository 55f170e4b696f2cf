"""Rows of a table given to a forecasting model: those that followed its training data, and those to forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.pipeline._series_ids import with_known_ids
from seqpipe.tables import (
    Table,
    TrainingTable,
    WrittenTable,
    check_continues,
    count,
    index_by_id,
    read_numbers,
    rows_by_id,
    times_by_id,
)
from seqpipe.tasks import Task, TaskData

__all__ = ["Ends", "ForecastRows", "forecast_rows", "steps_after"]

#: The last times of each series by its id.
Ends = Mapping[Any, "pd.Index[Any]"]


@dataclass(frozen=True)
class ForecastRows:
    """The rows of a table.

    Attributes
    ----------
    history : TaskData or None
        Rows with values of the series, after the end of the training data.
    ahead : TaskData or None
        Rows to forecast.
    given : set
        The ids of the series that have rows.
    notes : list of str
        What was ignored.
    """

    history: TaskData | None
    ahead: TaskData | None
    given: frozenset[Any]
    notes: list[str] = field(default_factory=list)


def forecast_rows(task: Task, known: TrainingTable, ends: Ends, found: WrittenTable, *, source: str) -> ForecastRows:
    """Split the rows of each series at its last one with a value: those up to it are history, the others are forecast.

    History that the model was trained on is left out. The rows must directly follow the training data, and each other.

    Parameters
    ----------
    task : Task
        The task of the model.
    known : TrainingTable
        Properties of its training table.
    ends : mapping of id to Index
        The last times of each training series; a single one has the id None.
    found : WrittenTable
        The table as read.
    source : str
        Its name in error messages.

    Raises
    ------
    InvalidSequencesError
        If a column is missing, a series is unknown, a row is invalid, or a time is not that of the next step; the message
        names the place.
    """
    if known.panel:
        found = replace(found, frame=with_known_ids(found.frame, known.roles, ends, source=source))
    table, notes = known.held(found, source=source)
    is_history = _is_history(table, found, known)
    history = _history(task, known, found, table, is_history, source)
    if history is not None:
        history, ignored = _newer(history, known, ends)
        notes = [*notes, *ignored]
    ahead = None
    if not is_history.all():
        rows = table.frame[~is_history]
        ahead = task.from_table(rows, known.roles, name=source, with_target=False)
        _check_continue(known, _tails(known, ends, history), ahead, "rows to forecast")
    return ForecastRows(history, ahead, _ids(table), notes)


def steps_after(task: Task, known: TrainingTable, ends: Ends, history: TaskData | None, n_steps: int) -> TaskData:
    """Return the data of the steps after the training data and the history of every series."""
    index = index_by_id(_tails(known, ends, history), known.roles.id)
    end = TaskData(pd.DataFrame(index=index), None, "series", known.roles)
    return replace(task.future(end, n_steps), history=history)


def _ids(table: Table) -> frozenset[Any]:
    return frozenset([None] if table.roles.id is None else table.frame[table.roles.id])


def _is_history(table: Table, found: WrittenTable, known: TrainingTable) -> NDArray[np.bool_]:
    """Return which rows, in order of time, are not after the last row of their series with a value of a target."""
    written = Table.of(found.frame, known.roles, table.source).frame.loc[table.frame.index]
    filled = np.zeros(len(written), dtype=bool)
    for name in known.roles.target:
        if name in written.columns:
            filled |= _filled(written[name], known.form.decimal or ".")
    backwards = pd.Series(filled[::-1]).groupby(table.codes[::-1]).cummax()
    return np.asarray(backwards, dtype=bool)[::-1]


def _filled(column: pd.Series, decimal: str) -> NDArray[np.bool_]:
    read = read_numbers(column, decimal=decimal)
    return ~np.isnan(read.values.astype(np.float64)) | read.unread


def _history(
    task: Task, known: TrainingTable, found: WrittenTable, table: Table, rows: NDArray[np.bool_], source: str
) -> TaskData | None:
    if not rows.any():
        return None
    written = Table.of(found.frame, known.roles, source).frame.loc[table.frame.index[rows]]
    complete, _ = known.held(replace(found, frame=written), source=source, with_target=True)
    return task.from_table(complete.frame, known.roles, name=source)


def _newer(history: TaskData, known: TrainingTable, ends: Ends) -> tuple[TaskData | None, list[str]]:
    """Return the history after the training data, with a note if there was more."""
    rows = rows_by_id(history.X)
    n_known = {id: _n_known(times, known, ends[id]) for id, times in times_by_id(history.X).items()}
    notes = _notes_on_known(n_known, ends)
    newer = np.concatenate([each[n_known[id] :] for id, each in rows.items()])
    if not len(newer):
        return None, notes
    following = history.at(newer)
    _check_continue(known, ends, following, "rows of history")
    return following, notes


def _notes_on_known(n_known: Mapping[Any, int], ends: Ends) -> list[str]:
    n_rows = sum(n_known.values())
    if not n_rows:
        return []
    if None in n_known:
        return [f"{count(n_rows, 'row')} up to the end of the training data, {ends[None][-1]}, are ignored"]
    n_series = sum(n > 0 for n in n_known.values())
    return [
        f"{count(n_rows, 'row')} of {count(n_series, 'series', plural='')} up to the end of the training data are ignored"
    ]


def _n_known(index: pd.Index[Any], known: TrainingTable, end: pd.Index[Any]) -> int:
    if known.roles.time is None:  # rows without a time are those that follow
        return 0
    try:
        return int((index <= end[-1]).sum())
    except TypeError:  # times of another kind, for which check_continues has a message
        return 0


def _check_continue(known: TrainingTable, tails: Ends, rows: TaskData, what: str) -> None:
    if known.roles.time is None:
        return
    for id, times in times_by_id(rows.X).items():
        name = rows.name if id is None else f"{rows.name}, {known.roles.id} {id!r}"
        check_continues(tails[id], times, name=name, what=what)


def _tails(known: TrainingTable, ends: Ends, history: TaskData | None) -> dict[Any, pd.Index[Any]]:
    """Return the last times of each series in the training data and the history."""
    newer = {} if history is None else times_by_id(history.X)
    return {id: _tail(known, end, newer[id]) if id in newer else end for id, end in ends.items()}


def _tail(known: TrainingTable, end: pd.Index[Any], newer: pd.Index[Any]) -> pd.Index[Any]:
    if known.roles.time is None:  # rows are counted
        return pd.RangeIndex(len(newer) + end[-1] + 1, name=end.name)
    if isinstance(end, pd.DatetimeIndex) and isinstance(newer, pd.DatetimeIndex) and end.tz is not None:
        newer = newer.tz_convert(end.tz)
    return end.append(newer).rename(end.name)
