"""Detection of the decimal mark of the numbers in a table."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._numbers import holds_text, read_numbers, texts_of_column
from seqpipe.tables._table import Table

__all__ = ["decimal_mark"]

_WITH_COMMA = r"^[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?$"
_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"
_OPTION = "write 'decimal: \",\"' or 'decimal: \".\"' under 'data:' in the recipe"


def decimal_mark(table: Table, columns: Iterable[str], *, separator: str | None) -> str:
    """Return "," if the numbers in columns of text are written with a comma, else ".".

    Parameters
    ----------
    table : Table
        The table.
    columns : iterable of str
        Columns that may hold numbers.
    separator : str or None
        The cell separator of a CSV file: if it is a semicolon, the comma in "1,234" is a decimal mark.

    Raises
    ------
    InvalidSequencesError
        If some columns use a decimal comma and others a decimal point, or every comma may be a thousands separator.
    """
    commas: dict[str, int] = {}
    points: dict[str, int] = {}
    ambiguous = separator != ";"
    for name in columns:
        if not holds_text(table.frame[name]) or (points and not _has_comma(table, name)):
            continue
        cells = texts_of_column(table.frame[name])
        comma = pc.fill_null(pc.match_substring_regex(cells, _WITH_COMMA), False)
        if pc.any(comma).as_py():
            if not read_numbers(table.frame[name], decimal=",").n_unread:
                commas[name] = _first(comma)
                ambiguous = ambiguous and pc.all(pc.match_substring_regex(cells.filter(comma), _THOUSANDS)).as_py()
        elif not points and not read_numbers(table.frame[name]).n_unread:
            point = pc.fill_null(pc.match_substring(cells, "."), False)
            points |= {name: _first(point)} if pc.any(point).as_py() else {}
    if not commas:
        return "."
    if points:
        raise InvalidSequencesError(
            f"Numbers are written with a comma in {_shown(table, commas)}, but with a point in {_shown(table, points)}. "
            f"Use one of the two throughout, or {_OPTION} and name the features under 'features:'."
        )
    if ambiguous:
        raise InvalidSequencesError(
            f"{_shown(table, commas)} may have a decimal comma or a thousands separator: {_OPTION}, or write numbers "
            "without thousands separators."
        )
    return ","


def _has_comma(table: Table, name: str) -> bool:
    return bool(pc.any(pc.match_substring(texts_of_column(table.frame[name]), ",")).as_py())


def _first(flags: pa.Array) -> int:
    return int(pc.index(flags, True).as_py())


def _shown(table: Table, found: dict[str, int]) -> str:
    name, row = next(iter(found.items()))
    return f"column {name!r} ({table.frame[name].iloc[row]!r:.60} at {table.place(row)})"
