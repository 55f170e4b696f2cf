"""Conversion of a table to the data of a forecast: a series, or a panel of those of each id."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import (
    Roles,
    check_complete,
    check_roles,
    numeric_features,
    panel_index,
    series_frame,
    time_index,
    times_by_id,
)
from seqpipe.tasks._task import TaskData

__all__ = ["series_data"]

_INSERT = "Insert them; their values may be empty with 'missing: interpolate' or 'missing: forward' under 'data:'."


def series_data(frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool) -> TaskData:
    """Return the series of a table, with those of several ids one after the other.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        The table.
    roles : Roles
        Roles of its columns.
    name : str
        Name of the data in errors and reports.
    with_target : bool
        False for the steps to forecast: X then holds the exogenous columns, or only the time.

    Raises
    ------
    InvalidSequencesError
        If a column or a date is missing, times do not increase, or a value is invalid; the message names the position.
    """
    check_roles(frame, roles, name=name, with_target=with_target)
    _check_has_steps(frame, roles, name)
    frame = _grouped(frame, roles)
    index = _index(frame, roles, name)
    features = [] if roles.features is None else numeric_features(frame, roles, name=name)
    X = series_frame(frame, features, index, name=name)
    if not with_target:
        return TaskData(X, None, name, roles)
    targets = numeric_features(
        frame, replace(roles, features=roles.target or None, target=()), name=name, role="target"
    )
    series = series_frame(frame, targets, index, name=name)
    for id, times in times_by_id(series).items():
        check_complete(times, name=_name_of(name, roles, id), remedy=_INSERT)
    return TaskData(X, series, name, roles) if features else TaskData(series, None, name, roles)


def _check_has_steps(frame: pd.DataFrame, roles: Roles, name: str) -> None:
    if roles.sequence is not None:
        raise InvalidSequencesError(
            f"Forecasting requires one row per time step; {name!r} cannot have a column of sequences."
        )
    if frame.empty:
        raise InvalidSequencesError(f"{name!r} has no rows.")


def _grouped(frame: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """Return the table with the rows of each id one after the other."""
    return frame if roles.id is None else frame.iloc[np.argsort(pd.factorize(frame[roles.id])[0], kind="stable")]


def _index(frame: pd.DataFrame, roles: Roles, name: str) -> pd.Index[Any]:
    if roles.id is None:
        return time_index(frame, roles.time, name=name)
    return panel_index(frame, roles.id, roles.time, name=name)


def _name_of(name: str, roles: Roles, id: Any) -> str:
    return repr(name) if id is None else f"{name!r}, {roles.id} {id!r}"
