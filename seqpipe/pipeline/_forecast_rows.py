"""Rows of a table given to a forecasting model: those that followed its training data, and those to forecast."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.tables import Table, TrainingTable, WrittenTable, check_continues, count, read_numbers
from seqpipe.tasks import Task, TaskData

__all__ = ["ForecastRows", "forecast_rows", "steps_after"]


@dataclass(frozen=True)
class ForecastRows:
    """The rows of a table.

    Attributes
    ----------
    history : TaskData or None
        Rows with values of the series, after the end of the training data.
    ahead : TaskData or None
        Rows to forecast.
    notes : list of str
        What was ignored.
    """

    history: TaskData | None
    ahead: TaskData | None
    notes: list[str] = field(default_factory=list)


def forecast_rows(task: Task, known: TrainingTable, found: WrittenTable, *, source: str) -> ForecastRows:
    """Split a table at its last row with a value of the series: the rows up to it are history, the others are forecast.

    History that the model was trained on is left out. The rows must directly follow the training data, and each other.

    Raises
    ------
    InvalidSequencesError
        If a column is missing, a row is invalid, or a time is not that of the next step; the message names the place.
    """
    table, notes = known.held(found, source=source)
    n_history = _n_history(table, found, known)
    history = _history(task, known, found, table, n_history, source)
    if history is not None:
        history, ignored = _newer(history, known)
        notes = [*notes, *ignored]
    tail = _tail(known, history)
    ahead = None
    if n_history < len(table.frame):
        ahead = task.from_table(table.frame.iloc[n_history:], known.roles, name=source, with_target=False)
        _check_continues(known, tail, ahead, "rows to forecast")
    return ForecastRows(history, ahead, notes)


def steps_after(task: Task, known: TrainingTable, history: TaskData | None, n_steps: int) -> TaskData:
    """Return the data of the steps after the training data and the history."""
    end = TaskData(pd.DataFrame(index=_tail(known, history)), None, "series", known.roles)
    return replace(task.future(end, n_steps), history=history)


def _n_history(table: Table, found: WrittenTable, known: TrainingTable) -> int:
    """Return the number of rows, in order of time, up to the last one with a value of a target."""
    written = Table.of(found.frame, known.roles, table.source).frame.loc[table.frame.index]
    filled = np.zeros(len(written), dtype=bool)
    for name in known.roles.target:
        if name in written.columns:
            filled |= _filled(written[name], known.form.decimal or ".")
    return int(np.flatnonzero(filled)[-1]) + 1 if filled.any() else 0


def _filled(column: pd.Series, decimal: str) -> NDArray[np.bool_]:
    read = read_numbers(column, decimal=decimal)
    return ~np.isnan(read.values.astype(np.float64)) | read.unread


def _history(
    task: Task, known: TrainingTable, found: WrittenTable, table: Table, n_rows: int, source: str
) -> TaskData | None:
    if not n_rows:
        return None
    rows = Table.of(found.frame, known.roles, source).frame.loc[table.frame.index[:n_rows]]
    complete, _ = known.held(replace(found, frame=rows), source=source, with_target=True)
    return task.from_table(complete.frame, known.roles, name=source)


def _newer(history: TaskData, known: TrainingTable) -> tuple[TaskData | None, list[str]]:
    """Return the history after the training data, with a note if there was more."""
    n_known = _n_known(history.X.index, known)
    notes = [f"{count(n_known, 'row')} up to the end of the training data, {known.tail.index[-1]}, are ignored"]
    if n_known == len(history.X):
        return None, notes
    y = None if history.y is None else history.y.iloc[n_known:]
    newer = replace(history, X=history.X.iloc[n_known:], y=y)
    _check_continues(known, known.tail.index, newer, "rows of history")
    return newer, notes if n_known else []


def _n_known(index: pd.Index[Any], known: TrainingTable) -> int:
    if known.roles.time is None:  # rows without a time are those that follow
        return 0
    last = known.tail.index[-1]
    try:
        return int((index <= last).sum())
    except TypeError:  # times of another kind, for which check_continues has a message
        return 0


def _check_continues(known: TrainingTable, tail: pd.Index[Any], rows: TaskData, what: str) -> None:
    if known.roles.time is not None:
        check_continues(tail, rows.X.index, name=rows.name, what=what)


def _tail(known: TrainingTable, history: TaskData | None) -> pd.Index[Any]:
    """Return the last times of the training data and of the history."""
    tail = known.tail.index
    if history is None:
        return tail
    if known.roles.time is None:  # rows are counted
        return pd.RangeIndex(len(history.X) + tail[-1] + 1, name=tail.name)
    zone = getattr(tail, "tz", None)
    return tail.append(history.X.index if zone is None else history.X.index.tz_convert(zone)).rename(tail.name)
