"""Tables to samples: one sequence an id, a row, or a cell, and the target that belongs to each."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._features import numeric_features
from seqpipe.tables._lists import runs_from_arrow
from seqpipe.tables._long import runs_from_frame
from seqpipe.tables._numbers import holds_text, number_matrix, read_numbers
from seqpipe.tables._roles import Roles, row_place
from seqpipe.tables._runs import Runs

__all__ = ["runs_of", "step_targets_of", "targets_of"]


def runs_of(frame: pd.DataFrame, roles: Roles, *, name: str) -> Runs:
    """Return the sequences of a table, not yet checked to have steps and finite values where cells are lists.

    A column of lists has one sequence a row; so has a table without ids, whose features are then the steps.
    With ids the rows of an id are the steps of one sequence, in order of first appearance.

    Raises
    ------
    InvalidSequencesError
        If the table is empty, the roles contradict each other, or a value is unfit; names the place.
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
            f"{name!r} has the time column {roles.time!r} but no id column: name the column that says which "
            "sequence a row belongs to, or, if every row is a sequence of its own, leave the time out."
        )
    return _from_rows(frame, numeric_features(frame, roles, name=name), name)


def targets_of(frame: pd.DataFrame, roles: Roles, *, name: str) -> pd.DataFrame:
    """Return the target columns with one row a sequence, in the order of `runs_of`.

    Raises
    ------
    InvalidSequencesError
        If there is no target column, a target is missing, or it changes within an id; names the place.
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
    """Return the target columns with one row a time step, in the order of the steps of `runs_of`.

    Raises
    ------
    InvalidSequencesError
        If the table is not one row a step with an id, there is no target column, or a target is missing.
    """
    if roles.id is None or roles.sequence is not None:
        raise InvalidSequencesError(
            f"{name!r} needs one row a time step, with its target, and an id column: name the column that says which "
            "sequence a row belongs to."
        )
    targets = _target_columns(frame, roles, name)
    return targets.iloc[np.argsort(pd.factorize(frame[roles.id])[0], kind="stable")]


def _target_columns(frame: pd.DataFrame, roles: Roles, name: str) -> pd.DataFrame:
    if not roles.target:
        raise InvalidSequencesError(
            f"{name!r} needs a target column, what is to be predicted: name one of "
            f"{', '.join(map(str, frame.columns))}."
        )
    for column in roles.target:
        _refuse_missing(frame, roles, column, name)
    return frame[list(roles.target)]


def _from_lists(frame: pd.DataFrame, roles: Roles, name: str) -> Runs:
    for role, other in (("time", roles.time), ("features", roles.features)):
        if other is not None:
            raise InvalidSequencesError(
                f"The column {roles.sequence!r} of {name!r} holds whole sequences, so that {other!r} "
                f"cannot be {role}: leave that role out."
            )
    column = frame[roles.sequence]
    ids = None if roles.id is None else frame[roles.id].to_numpy()
    if any(getattr(cell, "ndim", 1) == 2 for cell in column):  # Arrow takes nested lists, but no matrices
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
            f"({int(missing.sum())} such). Fill it in, or drop these rows."
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
            "sequence and has one target. Correct the table, or give the parts ids of their own."
        )
