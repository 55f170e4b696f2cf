"""Conversion between long tables, one row per time step, and sequences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from seqpipe.sequences._container import Sequences

__all__ = ["frame_from_sequences", "sequences_from_frame"]


def sequences_from_frame(
    frame: pd.DataFrame, *, by: str, order: str | None = None, features: Sequence[str] | None = None
) -> Sequences:
    """Gather the rows of each id into one sequence.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        One row per time step. The rows of an id need not be adjacent, but must be in order of time.
    by : str
        Column that identifies the sequence of a row.
    order : str, optional
        Column that must be strictly increasing within an id: dates with or without a time zone, elapsed times, periods,
        ISO 8601 text, or numbers. Used for the check only, never as a feature. Without it, an index of times must
        increase.
    features : sequence of str, optional
        Numeric columns to use, in this order; by default all except ``by``, ``order`` and an index that was written
        into the table.

    Returns
    -------
    Sequences
        In the order of each id's first row, with ``ids`` and ``feature_names``; float32 if every feature
        is, else float64.

    Raises
    ------
    InvalidSequencesError
        If a column is missing or duplicated, an id or a time is missing, times do not increase within an id, or
        a feature is not a finite number. The message names id, row (by its index label) and column, and the
        remedy.

    Examples
    --------
    >>> import pandas as pd
    >>> from seqpipe.sequences import sequences_from_frame
    >>> table = pd.DataFrame({"car": ["a", "a", "b"], "t": [0, 1, 0], "speed": [3.0, 4.0, 5.0]})
    >>> sequences_from_frame(table, by="car", order="t")
    Sequences(n_samples=2, n_timesteps=1..2, n_features=1, dtype=float64)
    """
    return Sequences.from_frame(frame, by=by, order=order, features=features)


def frame_from_sequences(X: Sequences, *, by: str = "id", order: str = "step") -> pd.DataFrame:
    """Return a long table, one row per time step.

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
        ``by``, ``order``, and one column per feature, named "x0", "x1", … if the features have no names. A
        sequence without steps has no rows.

    Raises
    ------
    InvalidSequencesError
        If two columns would have the same name.
    """
    return X.to_frame(by=by, order=order)
