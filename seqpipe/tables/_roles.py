"""Roles of the columns of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.saved import Items, Schema, TextOf, optional

__all__ = ["Roles", "check_roles", "named_columns", "row_place"]


@dataclass(frozen=True)
class Roles:
    """Roles of the columns of a table.

    Attributes
    ----------
    id : str or None
        Column that identifies the sequence of a row.
    time : str or None
        Column by which the rows are ordered.
    features : tuple of str or None
        Numeric input columns; None for every numeric column without another role.
    target : tuple of str
        Columns to predict.
    sequence : str or None
        Column of lists, for tables with one row per sequence.
    """

    id: str | None = None
    time: str | None = None
    features: tuple[str, ...] | None = None
    target: tuple[str, ...] = ()
    sequence: str | None = None
    _saved: ClassVar[dict[str, Schema]] = {
        **dict.fromkeys(("id", "time", "sequence"), optional(TextOf(most=10_000))),
        "features": optional(Items(TextOf(most=10_000))),
        "target": Items(TextOf(most=10_000)),
    }


def check_roles(frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool) -> None:
    """Raise `InvalidSequencesError` unless each role has a separate column.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        The table.
    roles : Roles
        Roles of its columns.
    name : str
        Name of the table in error messages.
    with_target : bool
        Whether the target columns are required.
    """
    named = list(named_columns(roles, with_target=with_target))
    columns = [str(column) for column in frame.columns]
    for role, column in named:
        if column not in columns:
            raise InvalidSequencesError(
                f"The {role} column {column!r} is not in {name!r}.{did_you_mean(column, columns)} "
                f"Its columns are {', '.join(columns)}."
            )
        if columns.count(column) > 1:
            raise InvalidSequencesError(f"The {role} column {column!r} occurs more than once in {name!r}: rename one.")
    column, uses = Counter(column for _, column in named).most_common(1)[0] if named else ("", 0)
    if uses > 1:
        found = [role for role, other in named if other == column]
        if len(set(found)) == 1:
            raise InvalidSequencesError(f"The column {column!r} is listed more than once as {found[0]}: list it once.")
        both = " and ".join(found)
        raise InvalidSequencesError(f"The column {column!r} of {name!r} cannot be {both} at once: give it one role.")


def row_place(frame: pd.DataFrame, row: int) -> str:
    """Return a description of the row at a position, such as "row 12", or "line 14" if the index is named "line"."""
    return f"{frame.index.name or 'row'} {frame.index[row]}"


def named_columns(roles: Roles, *, with_target: bool = True) -> Iterator[tuple[str, str]]:
    """Yield each role with each of its columns."""
    for role, column in (("id", roles.id), ("time", roles.time), ("sequence", roles.sequence)):
        if column is not None:
            yield role, column
    yield from (("feature", column) for column in roles.features or ())
    if with_target:
        yield from (("target", column) for column in roles.target)
