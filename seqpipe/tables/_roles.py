"""What the columns of a table are, and which of them are features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from pandas.api.types import is_complex_dtype, is_numeric_dtype

from seqpipe.exceptions import InvalidSequencesError, did_you_mean

__all__ = ["Roles", "check_roles", "numeric_features", "row_place"]


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
    named = list(_named(roles, with_target=with_target))
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


def numeric_features(frame: pd.DataFrame, roles: Roles, *, name: str) -> list[str]:
    """Return the columns that are inputs: those with that role, else every numeric one without another role.

    Raises
    ------
    InvalidSequencesError
        If there is none, or one that was named does not hold real numbers.
    """
    if roles.features is None:
        taken = {column for _, column in _named(roles, with_target=True)}
        features = [column for column in frame.columns if column not in taken and _holds_numbers(frame[column])]
    else:
        features = list(roles.features)
    if not features:
        raise InvalidSequencesError(
            f"{name!r} has no numeric column left to be a feature; it has "
            f"{', '.join(f'{column} ({dtype})' for column, dtype in frame.dtypes.items())}. Encode text as "
            "numbers first."
        )
    for column in features:
        if not _holds_numbers(frame[column]):
            raise InvalidSequencesError(
                f"The feature column {column!r} of {name!r} holds {frame[column].dtype}, not numbers: "
                "encode it, or leave it out of the features."
            )
    return features


def row_place(frame: pd.DataFrame, row: int) -> str:
    """Return words for the row at a position, such as "row 12", or "line 14" where the index is called so."""
    return f"{frame.index.name or 'row'} {frame.index[row]}"


def _named(roles: Roles, *, with_target: bool) -> Iterator[tuple[str, str]]:
    for role, column in (("id", roles.id), ("time", roles.time), ("sequence", roles.sequence)):
        if column is not None:
            yield role, column
    yield from (("feature", column) for column in roles.features or ())
    if with_target:
        yield from (("target", column) for column in roles.target)


def _holds_numbers(column: pd.Series) -> bool:
    return is_numeric_dtype(column.dtype) and not is_complex_dtype(column.dtype)
