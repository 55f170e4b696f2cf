"""Selection of the columns of a table that are features."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._csv import check_names
from seqpipe.tables._numbers import WIDE_MARKS, NumberColumn, formatted, holds_text, read_numbers, texts_of_column
from seqpipe.tables._roles import Roles, named_columns
from seqpipe.tables._table import Table, others

__all__ = [
    "FeatureColumns",
    "check_feature",
    "check_numbers",
    "find_features",
    "is_index",
    "numeric_features",
    "unnamed_columns",
]

#: Names that pandas gives to an index written into a file, and to columns without a name.
_INDEX_NAMES = re.compile(r"^(Unnamed: \d+(_level_\d+)?(\.\d+)*|__index_level_\d+__)$")
#: Names of an index that was reset to a column, if the column does count the rows.
_COUNTERS = ("index", "level_0", "row_nr", "row_number")

_OR_NAME_FEATURES = "or name the features without this column under 'features:'"
#: The remedy for a column without numbers, by its role.
_OTHER_COLUMN = {
    "feature": "Encode it, or leave it out of the features.",
    "target": "A series to forecast consists of numbers: name another column as the target.",
}


@dataclass(frozen=True)
class FeatureColumns:
    """The columns of a table without a role, by kind.

    Attributes
    ----------
    numbers : mapping of str to array of shape (n_rows,)
        The features, in the order of the table.
    index : list of str
        Columns that number the rows.
    empty : list of str
        Columns without values.
    text : list of str
        Columns of text, times, lists and anything else that is not a number.
    """

    numbers: Mapping[str, NumberColumn] = field(default_factory=dict)
    index: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


def find_features(table: Table, columns: Iterable[str], *, decimal: str = ".") -> FeatureColumns:
    """Classify the columns without a role: those whose cells are all numbers or missing are features.

    Raises
    ------
    InvalidSequencesError
        If a column is numeric except for a few cells; the message names the first one, its position and the remedy.
    """
    numbers: dict[str, NumberColumn] = {}
    index: list[str] = []
    empty: list[str] = []
    text: list[str] = []
    for name in columns:
        column = table.frame[name]
        read = read_numbers(column, decimal=decimal)
        if not read.n_read and not read.n_unread:
            empty.append(name)
        elif is_index(column):
            index.append(name)
        elif read.n_unread and not _is_nearly_numeric(column, read):
            text.append(name)
        else:
            check_numbers(table, name, read, _OR_NAME_FEATURES)
            numbers[name] = read
    return FeatureColumns(numbers, index, empty, text)


def numeric_features(frame: pd.DataFrame, roles: Roles, *, name: str, role: str = "feature") -> list[str]:
    """Return the feature columns: those with that role, else those that `find_features` finds among the others.

    Errors call them by ``role``, "feature" or "target".

    Raises
    ------
    InvalidSequencesError
        If there are none, or one does not hold real numbers.
    """
    check_names(repr(name), [str(column) for column in frame.columns])
    table = Table(frame, roles, name)
    if roles.features is None:
        found = find_features(table, unnamed_columns(table))
        if not found.numbers:
            kinds = ", ".join(f"{column} ({dtype})" for column, dtype in frame.dtypes.items())
            raise InvalidSequencesError(
                f"{name!r} has no numeric column to use as a feature; it has {kinds}. Encode text as numbers first."
            )
        return list(found.numbers)
    for column in roles.features:
        check_feature(table, column, read_numbers(frame[column]), role)
    return list(roles.features)


def unnamed_columns(table: Table) -> list[str]:
    """Return the columns without a role."""
    taken = {column for _, column in named_columns(table.roles)}
    return [column for column in table.frame.columns if column not in taken]


def check_feature(table: Table, name: str, read: NumberColumn, role: str = "feature") -> None:
    """Raise `InvalidSequencesError` unless a column that was named as a feature, or other ``role``, holds numbers."""
    if read.n_unread and not read.n_read:
        row = int(read.unread.argmax())
        raise InvalidSequencesError(
            f"The {role} column {name!r} of {table.source!r} holds {table.frame[name].dtype}, not numbers: it is "
            f"{table.frame[name].iloc[row]!r:.60} at {table.place(row)}. {_advice(table.frame[name].iloc[row])}"
            f"{_OTHER_COLUMN[role]}"
        )
    check_numbers(table, name, read)


def is_index(column: pd.Series[Any]) -> bool:
    """Return whether a column is an index that was written into the table, or has no name."""
    name = str(column.name)
    if _INDEX_NAMES.match(name):
        return True
    if name not in _COUNTERS or not pd.api.types.is_integer_dtype(column.dtype) or column.isna().any():
        return False
    rows = np.arange(len(column))
    return bool(np.array_equal(column, rows) or np.array_equal(column, rows + 1))


def check_numbers(table: Table, name: str, read: NumberColumn, alternative: str = "") -> None:
    """Raise `InvalidSequencesError` with the first cell of a column that is not a number."""
    if not read.n_unread:
        return
    row = int(read.unread.argmax())
    cell = table.frame[name].iloc[row]
    rest = f"; {read.n_read:,} of its cells are numbers" if read.n_read else ""
    empty = "leave it empty if the value is missing"
    remedy = f"Correct it, {empty}, {alternative}." if alternative else f"Correct it, or {empty}."
    raise InvalidSequencesError(
        f"{table.place(row)}: column {name!r} is {cell!r:.60}, which is not a number{others(read.n_unread)}{rest}. "
        f"{_units(read)}{_advice(cell)}{remedy}"
    )


def _units(read: NumberColumn) -> str:
    if read.n_unread == 1 and read.unread[0] and read.n_read == len(read.values) - 1:
        return "If the row under the header holds units, remove that line. "
    return ""


def _is_nearly_numeric(column: pd.Series[Any], read: NumberColumn) -> bool:
    """Return whether at least half of the cells of a column are numbers, plain or formatted such as "5 %"."""
    n_formatted = int((formatted(texts_of_column(column)) & read.unread).sum()) if holds_text(column) else 0
    return read.n_read + n_formatted >= read.n_unread - n_formatted


def _advice(cell: Any) -> str:
    if not isinstance(cell, str):
        return ""
    if "%" in cell or any(sign in cell for sign in "$€£"):
        return "Write numbers without percent signs and currencies. "
    if re.fullmatch(r"\s*[+-]?\d+,\d+\s*", cell):
        return "If the comma is a decimal mark, write 'decimal: \",\"' under 'data:' in the recipe. "
    if re.fullmatch(rf"\s*[+-]?\d{{1,3}}([,.' {WIDE_MARKS}]\d{{3}})+([.,]\d+)?\s*", cell):
        return "Write numbers without separators of thousands. "
    return ""
