"""Long tables, one row a time step, to sequences and back."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.sequences._columns import Places, check_rising, finite_values
from seqpipe.sequences._container import Sequences

__all__ = ["frame_from_sequences", "sequences_from_frame"]


def sequences_from_frame(
    frame: pd.DataFrame, *, by: str, order: str | None = None, features: Sequence[str] | None = None
) -> Sequences:
    """Gather the rows of each id into one sequence.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        One row a time step. The rows of an id need not stand together, but must stand in order of time.
    by : str
        Column that says which sequence a row belongs to.
    order : str, optional
        Column that must rise strictly within an id: numbers, times, or ISO 8601 text. Only checked, never a
        feature.
    features : sequence of str, optional
        Numeric columns to take, in this order; all but ``by`` and ``order`` by default.

    Returns
    -------
    Sequences
        In the order of each id's first row, with ``ids`` and ``feature_names``; float32 where every feature
        is, else float64.

    Raises
    ------
    InvalidSequencesError
        If a column is missing or stands twice, an id or a time is missing, times do not rise within an id, or
        a feature is not a finite number. Names id, row (as the frame's index calls it) and column, and the
        remedy.

    Examples
    --------
    >>> import pandas as pd
    >>> from seqpipe.sequences import sequences_from_frame
    >>> table = pd.DataFrame({"car": ["a", "a", "b"], "t": [0, 1, 0], "speed": [3.0, 4.0, 5.0]})
    >>> sequences_from_frame(table, by="car", order="t")
    Sequences(n_samples=2, n_timesteps=1..2, n_features=1, dtype=float64)
    """
    names = _feature_names(frame, by, order, features)
    codes, uniques = pd.factorize(frame[by])
    if len(codes) and (codes[1:] < codes[:-1]).any():
        rows = np.argsort(codes, kind="stable")
        frame, codes = frame.iloc[rows], codes[rows]
    ids = uniques.to_numpy() if uniques.dtype.kind in "iuf" else np.asarray(uniques, dtype=object)
    places = Places(frame.index, codes, ids)
    if len(codes) and codes[0] < 0:
        raise InvalidSequencesError(f"{places.row(0)} has no id in column {by!r}: fill it in, or drop the row.")
    if order is not None:
        check_rising(frame[order], places, by=by)
    values = finite_values([frame[name] for name in names], places)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))])
    return Sequences(values, offsets, feature_names=map(str, names), ids=ids)


def frame_from_sequences(X: Sequences, *, by: str = "id", order: str = "step") -> pd.DataFrame:
    """Return a long table, one row a time step.

    Parameters
    ----------
    X : Sequences
        The sequences.
    by : str, default="id"
        Name of the column of ids; sequences without ids are numbered from 0.
    order : str, default="step"
        Name of the column that counts the time steps of a sequence from 0.

    Returns
    -------
    DataFrame of shape (total_steps, 2 + n_features)
        ``by``, ``order``, and one column a feature, "x0", "x1", … where the features have no names. A
        sequence without steps leaves no row.

    Raises
    ------
    InvalidSequencesError
        If two columns would have the same name.
    """
    names = X.feature_names or tuple(f"x{i}" for i in range(X.n_features))
    if len({by, order, *names}) < 2 + len(names):
        raise InvalidSequencesError(
            f"The columns {[by, order, *names]} would share a name: choose other names with by= and order=."
        )
    ids = np.arange(len(X)) if X.ids is None else X.ids
    steps = np.arange(len(X.values)) - np.repeat(X.offsets[:-1], X.lengths)
    frame = pd.DataFrame(X.values, columns=list(names))
    frame.insert(0, order, steps)
    frame.insert(0, by, np.repeat(ids, X.lengths))
    return frame


def _feature_names(frame: pd.DataFrame, by: str, order: str | None, features: Sequence[str] | None) -> list[Hashable]:
    columns = frame.columns.tolist()
    roles = [by] if order is None else [by, order]
    names: list[Hashable] = [name for name in columns if name not in roles] if features is None else [*features]
    for name in [*roles, *names]:
        if name not in columns:
            raise InvalidSequencesError(_missing_column(frame, name))
        if columns.count(name) > 1:
            raise InvalidSequencesError(f"The column {name!r} stands more than once: rename one of them.")
    if not names:
        raise InvalidSequencesError(f"No feature is left beside {roles}: the table needs a numeric column more.")
    return names


def _missing_column(frame: pd.DataFrame, name: Hashable) -> str:
    if name in frame.index.names:
        return f"{name!r} is the index of the table, not a column: call frame.reset_index() first."
    columns = [str(column) for column in frame.columns]
    return f"There is no column {name!r} among {columns}.{did_you_mean(name, columns)}"
