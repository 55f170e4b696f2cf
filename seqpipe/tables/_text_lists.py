"""Lists stored as text, as written by pandas and NumPy: "[1.0, 2.0]", "[[1, 2], [3, 4]]", "[1. 2.]", "1 2 3"."""

from __future__ import annotations

import json
import re
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._numbers import holds_text
from seqpipe.tables._table import Table

__all__ = ["lists_in_text"]

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_BARE = rf"^\s*{_NUMBER}(?:(?:\s*;\s*|\s+){_NUMBER})*\s*$"
_REMEDY = (
    "Write every sequence as [1.5, 2, 3], with several features as [[1, 2], [3, 4]], or keep lists in a Parquet file."
)


def lists_in_text(table: Table, name: str, *, texts: bool) -> pd.Series[Any] | None:
    """Parse a column of text as lists; None if its cells are texts.

    Parameters
    ----------
    table : Table
        The table.
    name : str
        The column.
    texts : bool
        Whether the column is expected to hold texts: then numbers separated by spaces remain text, and so does anything
        in brackets unless every cell is a list.

    Raises
    ------
    InvalidSequencesError
        If only some cells are lists, a list was abbreviated when it was written, or every cell is a single number.
    """
    column = table.frame[name]
    if not holds_text(column) or not column.notna().any():
        return None
    cells = [str(cell).strip() if known else None for cell, known in zip(column, column.notna())]
    first = next(cell for cell in cells if cell is not None)
    if first.startswith("[") and first.endswith("]"):
        return _from_brackets(table, name, cells, texts=texts)
    return None if texts else _from_bare_numbers(table, name, cells)


def _from_brackets(table: Table, name: str, cells: list[str | None], *, texts: bool) -> pd.Series[Any] | None:
    lists: list[Any] = []
    for row, cell in enumerate(cells):
        found = None if cell is None else _parsed(cell)
        if cell is not None and found is None:
            if texts:
                return None
            shortened = " It was abbreviated when it was written; the rest is lost." if "..." in cell else ""
            raise InvalidSequencesError(
                f"{table.place(row)}: column {name!r} is {cell!r:.60}, which is not a list.{shortened} {_REMEDY}"
            )
        lists.append(found)
    return _column(table, name, lists)


def _from_bare_numbers(table: Table, name: str, cells: list[str | None]) -> pd.Series[Any] | None:
    """Parse numbers separated by spaces or semicolons; if any cell is not a number, single numbers are texts."""
    array = pa.array(cells, type=pa.large_string())
    if not pc.all(pc.match_substring_regex(array, _BARE)).as_py():
        return None
    lists = [None if cell is None else [float(each) for each in cell.replace(";", " ").split()] for cell in cells]
    if all(found is None or len(found) == 1 for found in lists):
        raise single_numbers(table, name)
    return _column(table, name, lists)


def single_numbers(table: Table, name: str) -> InvalidSequencesError:
    """Return the error for a sequence column with one number per row."""
    return InvalidSequencesError(
        f"The sequence column {name!r} of {table.source!r} has one number per row, such as "
        f"{table.frame[name].iloc[0]!r} at {table.place(0)}, not a sequence. {_REMEDY} If a row is a time step, name the "
        "column that identifies its sequence under 'id:', and remove 'sequence:'."
    )


def _parsed(cell: str) -> list[Any] | None:
    try:
        found = json.loads(cell)
    except ValueError:
        return _parsed_numpy(cell)
    return found if isinstance(found, list) else None


def _parsed_numpy(cell: str) -> list[Any] | None:
    """Parse numbers in brackets separated by spaces, as NumPy prints arrays, and nan."""
    tokens = re.findall(r"[\[\]]|[^\s,\[\]]+", cell)
    try:
        plain = [token if token in "[]" else json.dumps(float(token)) for token in tokens]
        found = json.loads(re.sub(r"(?<=[^\[]) (?=[^\]])", ",", " ".join(plain)))
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _column(table: Table, name: str, lists: list[Any]) -> pd.Series[Any]:
    try:
        array = pa.array(lists, from_pandas=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidSequencesError(
            f"The column {name!r} of {table.source!r} cannot be read as lists of numbers ({error}). {_REMEDY}"
        ) from error
    return pd.Series(pd.array(array, dtype=pd.ArrowDtype(array.type)), index=table.frame.index, name=name)
