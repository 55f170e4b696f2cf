"""Conversion of tables to samples: one sequence per id, row or cell, with its target."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._features import numeric_features
from seqpipe.tables._lists import runs_from_arrow
from seqpipe.tables._long import runs_from_frame
from seqpipe.tables._numbers import holds_text, number_matrix, read_numbers
from seqpipe.tables._roles import Roles, named_columns, row_place
from seqpipe.tables._runs import Runs

__all__ = ["runs_of", "step_targets_of", "targets_of"]


def runs_of(frame: pd.DataFrame, roles: Roles, *, name: str) -> Runs:
    """Return the sequences of a table; if cells are lists, these are not yet checked for steps and finite values.

    With a column of lists, each row is a sequence; so it is in a table without ids, whose features are then the steps.
    With ids, the rows of an id are the steps of one sequence, in order of first appearance.

    Raises
    ------
    InvalidSequencesError
        If the table is empty, the roles conflict, or a value is invalid; the message names the position.
    """
    if frame.empty:
        raise InvalidSequencesError(f"{name!r} has no rows.")
    if roles.sequence is not None:
        return _from_lists(frame, roles, name)
    if roles.id is not None:
        features = numeric_features(frame, roles, name=name)
        numbers = frame.assign(
            **{name: read_numbers(frame[name]).values for name in features if holds_text(frame[name])}
        )
        return runs_from_frame(numbers, by=roles.id, order=roles.time, features=features)
    if roles.time is not None:
        raise InvalidSequencesError(
            f"{name!r} has the time column {roles.time!r} but no id column: name the column that identifies the "
            "sequence of a row, or, if every row is a separate sequence, remove the time column."
        )
    return _from_rows(frame, numeric_features(frame, roles, name=name), name)


def targets_of(frame: pd.DataFrame, roles: Roles, *, name: str) -> pd.DataFrame:
    """Return the target columns with one row per sequence, in the order of `runs_of`.

    Raises
    ------
    InvalidSequencesError
        If there is no target column, a target is missing, or it changes within an id; the message names the position.
    """
    targets = _target_columns(frame, roles, name)
    if roles.id is None or roles.sequence is not None:
        return targets
    codes, _ = pd.factorize(frame[roles.id])
    first = np.unique(codes, return_index=True)[1]
    for column in targets:
        _refuse_changing(frame, roles.id, str(column), codes, first, name)
    return targets.iloc[first]


def step_targets_of(frame: pd.DataFrame, roles: Roles, *, name: str) -> pd.DataFrame:
    """Return the target columns with one row per time step, in the order of the steps of `runs_of`.

    Raises
    ------
    InvalidSequencesError
        If the table does not have one row per step and an id, there is no target column, or a target is missing.
    """
    if roles.id is None or roles.sequence is not None:
        raise InvalidSequencesError(
            f"{name!r} needs one row per time step, with its target, and an id column: name the column that identifies "
            "the sequence of a row."
        )
    targets = _target_columns(frame, roles, name)
    return targets.iloc[np.argsort(pd.factorize(frame[roles.id])[0], kind="stable")]


def _target_columns(frame: pd.DataFrame, roles: Roles, name: str) -> pd.DataFrame:
    if not roles.target:
        used = {column for _, column in named_columns(roles)}
        others = ", ".join(str(column) for column in frame.columns if column not in used)
        raise InvalidSequencesError(
            f"{name!r} needs a target column, the values to predict: name one of {others} as the target."
        )
    for column in roles.target:
        _refuse_missing(frame, roles, column, name)
    return frame[list(roles.target)]


def _from_lists(frame: pd.DataFrame, roles: Roles, name: str) -> Runs:
    for role, other in (("time", roles.time), ("features", roles.features)):
        if other is not None:
            raise InvalidSequencesError(
                f"The column {roles.sequence!r} of {name!r} holds whole sequences, so that {other!r} "
                f"cannot be {role}: remove that role."
            )
    column = frame[roles.sequence]
    ids = None if roles.id is None else frame[roles.id].to_numpy()
    if any(getattr(cell, "ndim", 1) == 2 for cell in column):  # Arrow converts nested lists, but not matrices
        column = column.map(lambda cell: cell.tolist() if isinstance(cell, np.ndarray) else cell)
    return runs_from_arrow(column, ids=ids)


def _from_rows(frame: pd.DataFrame, features: list[str], name: str) -> Runs:
    values = number_matrix(frame, features)
    unfit = ~np.isfinite(values)
    if unfit.any():
        row, step = (int(i) for i in np.argwhere(unfit)[0])
        raise InvalidSequencesError(
            f"{name!r}, {row_place(frame, row)}, column {features[step]!r}: the value is missing or "
            f"infinite ({int(unfit.sum())} such in the table). Fill it in, or drop the row."
        )
    return Runs(values.reshape(-1, 1), np.arange(len(values) + 1) * len(features))


def _refuse_missing(frame: pd.DataFrame, roles: Roles, column: str, name: str) -> None:
    missing = frame[column].isna().to_numpy()
    if missing.any():
        row = int(missing.argmax())
        whose = "" if roles.id is None else f"id {frame[roles.id].tolist()[row]!r}, "
        raise InvalidSequencesError(
            f"{name!r}, {whose}{row_place(frame, row)}: the target {column!r} is missing "
            f"({int(missing.sum())} in total). Fill it in, or drop these rows."
        )


def _refuse_changing(
    frame: pd.DataFrame, by: str, column: str, codes: NDArray[np.intp], first: NDArray[np.intp], name: str
) -> None:
    values = np.asarray(frame[column], dtype=object)
    changed = values != values[first][codes]
    if changed.any():
        row = int(changed.argmax())
        begin = int(first[codes[row]])
        raise InvalidSequencesError(
            f"{name!r}, id {frame[by].tolist()[row]!r}: the target {column!r} is {values[begin]!r} at "
            f"{row_place(frame, begin)} and {values[row]!r} at {row_place(frame, row)}, but an id is one "
            "sequence and has one target. Correct the table, or use different ids for the parts."
        )
