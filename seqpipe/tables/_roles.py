"""What the columns of a table are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from seqpipe.exceptions import InvalidSequencesError, did_you_mean

__all__ = ["Roles", "check_roles", "named_columns", "row_place"]


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are.

    Attributes
    ----------
    id : str or None
        Names the sequence that a row belongs to.
    time : str or None
        Orders the rows.
    features : tuple of str or None
        Numeric inputs; None for every numeric column without another role.
    target : tuple of str
        What is to be predicted.
    sequence : str or None
        A column of lists, for tables with one row a sequence.
    """

    id: str | None = None
    time: str | None = None
    features: tuple[str, ...] | None = None
    target: tuple[str, ...] = ()
    sequence: str | None = None


def check_roles(frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool) -> None:
    """Raise `InvalidSequencesError` unless each role has a column of its own.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        The table.
    roles : Roles
        What its columns are.
    name : str
        What errors call the table.
    with_target : bool
        Whether the target columns have to be there.
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
            raise InvalidSequencesError(f"The {role} column {column!r} stands more than once in {name!r}: rename one.")
    column, uses = Counter(column for _, column in named).most_common(1)[0] if named else ("", 0)
    if uses > 1:
        both = " and ".join(role for role, found in named if found == column)
        raise InvalidSequencesError(f"The column {column!r} of {name!r} cannot be {both} at once: give it one role.")


def row_place(frame: pd.DataFrame, row: int) -> str:
    """Return words for the row at a position, such as "row 12", or "line 14" where the index is called so."""
    return f"{frame.index.name or 'row'} {frame.index[row]}"


def named_columns(roles: Roles, *, with_target: bool = True) -> Iterator[tuple[str, str]]:
    """Give each role and column that is named, in pairs."""
    for role, column in (("id", roles.id), ("time", roles.time), ("sequence", roles.sequence)):
        if column is not None:
            yield role, column
    yield from (("feature", column) for column in roles.features or ())
    if with_target:
        yield from (("target", column) for column in roles.target)
