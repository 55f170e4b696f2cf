"""Conversion between long tables, one row per time step, and runs of rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.tables._columns import Places, finite_values
from seqpipe.tables._features import is_index
from seqpipe.tables._index import index_of, times_of
from seqpipe.tables._rising import check_rising
from seqpipe.tables._runs import Runs
from seqpipe.tables._times import read_times
from seqpipe.tables._zones import Place

__all__ = ["frame_from_runs", "runs_from_frame"]


def runs_from_frame(
    frame: pd.DataFrame, *, by: str, order: str | None = None, features: Sequence[str] | None = None
) -> Runs:
    """Group the rows of each id into one sequence; see :func:`seqpipe.sequences.sequences_from_frame`.

    Raises
    ------
    InvalidSequencesError
        If a column is missing or duplicated, an id or a time is missing, times do not increase within an id, or a
        feature is not a finite number.
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
    _check_order(frame, codes, places.__getitem__, by, order)
    values = finite_values([frame[name] for name in names], places)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))])
    return Runs(values, offsets, ids, tuple(map(str, names)))


def frame_from_runs(runs: Runs, *, by: str, order: str) -> pd.DataFrame:
    """Return a long table, one row per time step; see :func:`seqpipe.sequences.frame_from_sequences`.

    Raises
    ------
    InvalidSequencesError
        If two columns would have the same name.
    """
    names = tuple(runs.feature_names or (f"x{i}" for i in range(runs.values.shape[1])))
    if len({by, order, *names}) < 2 + len(names):
        raise InvalidSequencesError(
            f"The columns {[by, order, *names]} would share a name: choose other names with by= and order=."
        )
    lengths = np.diff(runs.offsets)
    ids = np.arange(len(lengths)) if runs.ids is None else runs.ids
    frame = pd.DataFrame(runs.values, columns=list(names))
    frame.insert(0, order, np.arange(len(frame)) - np.repeat(runs.offsets[:-1], lengths))
    frame.insert(0, by, np.repeat(ids, lengths))
    return frame


def _check_order(frame: pd.DataFrame, codes: NDArray[np.intp], place: Place, by: str, order: str | None) -> None:
    """Raise unless the rows of an id increase in the time column, or without one in an index of times."""
    if order is None:
        index = index_of(frame)
        times = times_of(index, name="frame")
        if times is None:
            return
        written, sort, unique = pd.Series(index, name=times.name), "sort_index()", "reset_index()."
    else:
        times, written = read_times(frame[order], place), frame[order]
        sort, unique = f"sort_values({[by, order]})", ""
    check_rising(
        times,
        codes,
        place,
        written=written,
        if_falling=f"Sort the rows with frame.{sort}.",
        if_doubled=f"Keep one row, such as with frame.{unique}drop_duplicates({[by, times.name]}).",
    )


def _feature_names(frame: pd.DataFrame, by: str, order: str | None, features: Sequence[str] | None) -> list[Hashable]:
    columns = frame.columns.tolist()
    roles = [by] if order is None else [by, order]
    names: list[Hashable] = _without_index(frame, roles) if features is None else [*features]
    for name in [*roles, *names]:
        if name not in columns:
            raise InvalidSequencesError(_missing_column(frame, name))
        if columns.count(name) > 1:
            raise InvalidSequencesError(f"The column name {name!r} occurs more than once: rename one of the columns.")
    if not names:
        raise InvalidSequencesError(f"The table has no feature columns besides {roles}: add a numeric column.")
    return names


def _without_index(frame: pd.DataFrame, roles: list[str]) -> list[Hashable]:
    free = [i for i, name in enumerate(frame.columns) if name not in roles]
    return [frame.columns[i] for i in free if not is_index(frame.iloc[:, i])]


def _missing_column(frame: pd.DataFrame, name: Hashable) -> str:
    if name in frame.index.names:
        return f"{name!r} is the index of the table, not a column: call frame.reset_index() first."
    columns = [str(column) for column in frame.columns]
    return f"There is no column {name!r} among {columns}.{did_you_mean(name, columns)}"
