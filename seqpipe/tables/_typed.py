"""Conversion of columns by role: features, times and numeric targets to numbers, other columns kept as written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pandas as pd

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._decimal import decimal_mark
from seqpipe.tables._features import (
    FeatureColumns,
    check_feature,
    check_numbers,
    find_features,
    unnamed_columns,
)
from seqpipe.tables._numbers import MISSING_WORDS, holds_text, read_numbers
from seqpipe.tables._table import Table
from seqpipe.tables._text_lists import lists_in_text, single_numbers

__all__ = ["TargetType", "typed"]

#: Kind of the target columns of a task: labels and texts are kept as written; a series is what is forecast, by default
#: every feature of the table; with None it is inferred from the values.
TargetType = Literal["labels", "numbers", "series", "texts"] | None


def typed(
    table: Table,
    *,
    target: TargetType,
    texts: bool = False,
    decimal: str | None = None,
    separator: str | None = None,
) -> tuple[Table, list[str]]:
    """Convert the columns of a table to the types of their roles; return it with its features named, and notes.

    Parameters
    ----------
    table : Table
        The table as read.
    target : {"labels", "numbers", "series", "texts"} or None
        Kind of the target columns.
    texts : bool, default=False
        Whether the column of sequences holds texts rather than numbers.
    decimal : {".", ","}, optional
        The decimal mark in text; detected from the table by default.
    separator : str, optional
        The cell separator of the file.

    Raises
    ------
    InvalidSequencesError
        If a cell does not match the role of its column; the message names the position and the remedy.
    """
    if not len(table.frame):
        raise InvalidSequencesError(f"{table.source!r} has no rows.")
    mark = decimal or decimal_mark(table, _numeric_roles(table, target), separator=separator)
    notes = [f"decimal mark: {mark!r}"] if mark == "," and decimal is None else []
    found = _found_features(table, target, mark)
    columns = {**dict(_converted(table, found, target, mark)), **dict(_digits_as_text(table, target, texts))}
    if (lists := _lists(table, texts)) is not None:
        columns[str(table.roles.sequence)] = lists
        notes.append(f"the text in column {table.roles.sequence!r} is parsed as lists")
    return _named(table, found, target, columns), [*notes, *_notes_on_ignored(found)]


def _numeric_roles(table: Table, target: TargetType) -> list[str]:
    """Return the columns that may hold numbers."""
    roles = table.roles
    features = unnamed_columns(table) if roles.features is None else list(roles.features)
    targets = list(roles.target) if target in ("numbers", "series") else []
    return [*features, *targets, *([] if roles.time is None else [roles.time])]


def _found_features(table: Table, target: TargetType, mark: str) -> FeatureColumns:
    roles, free = table.roles, unnamed_columns(table)
    takes_none = roles.sequence is not None or (target == "series" and roles.target)
    if takes_none or roles.features is not None:
        numbers = {name: read_numbers(table.frame[name], decimal=mark) for name in roles.features or ()}
        return FeatureColumns(numbers, text=free)
    found = find_features(table, free, decimal=mark)
    if found.empty and not found.numbers:
        raise InvalidSequencesError(
            f"{table.place(0)}: column {found.empty[0]!r} is empty here and in all other rows, and no other column can "
            "be a feature. Fill it in, or name the columns that are features."
        )
    return found


def _converted(table: Table, found: FeatureColumns, target: TargetType, mark: str) -> Iterator[tuple[str, Any]]:
    """Yield the columns whose cells change."""
    roles = table.roles
    for name, read in found.numbers.items():
        if roles.features is not None:
            check_feature(table, name, read)
        yield name, read.values
    if roles.time is not None and holds_text(table.frame[roles.time]):
        times = read_numbers(table.frame[roles.time], decimal=mark)
        if times.n_read and not times.n_unread:
            yield roles.time, times.values
    for name in roles.target:
        if target in ("numbers", "series") or (target is None and _holds_numbers(table.frame[name], mark)):
            yield name, _target_numbers(table, name, mark)
        elif target == "labels":
            yield name, _labels(table.frame[name])


def _digits_as_text(table: Table, target: TargetType, texts: bool) -> Iterator[tuple[str, Any]]:
    """Yield columns of texts that are all integers, as the original texts."""
    roles = table.roles
    for name in [*([roles.sequence] if texts and roles.sequence else []), *(roles.target if target == "texts" else ())]:
        if pd.api.types.is_integer_dtype(table.frame[name].dtype):
            yield name, table.frame[name].astype(str)


def _target_numbers(table: Table, name: str, mark: str) -> Any:
    read = read_numbers(table.frame[name], decimal=mark)
    if read.n_unread and not read.n_read:
        return table.frame[name]  # the task raises and names the one for labels
    check_numbers(table, name, read)
    return read.values


def _holds_numbers(column: pd.Series[Any], mark: str) -> bool:
    read = read_numbers(column, decimal=mark)
    return read.n_read > 0 and not read.n_unread


def _labels(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return labels as written; among integers, a word such as "NA" is a missing label."""
    if not holds_text(column):
        return column
    words = column.isin(MISSING_WORDS).to_numpy(dtype=bool)
    others = column[~words].dropna()
    whole = words.any() and len(others) > 0 and others.astype(str).str.fullmatch(r"0|-?[1-9][0-9]{0,17}").all()
    return column.mask(words) if whole else column


def _lists(table: Table, texts: bool) -> pd.Series[Any] | None:
    name = table.roles.sequence
    if name is None:
        return None
    if not texts and pd.api.types.is_numeric_dtype(table.frame[name].dtype):
        raise single_numbers(table, name)
    return lists_in_text(table, name, texts=texts)


def _named(table: Table, found: FeatureColumns, target: TargetType, columns: dict[str, Any]) -> Table:
    """Return the table with its columns replaced and unspecified roles filled in."""
    roles, names = table.roles, tuple(found.numbers)
    if target == "series" and not roles.target:
        roles = replace(roles, target=names) if roles.features is None else roles
    elif names:
        roles = replace(roles, features=names)
    numeric = all(pd.api.types.is_numeric_dtype(columns[name]) for name in roles.target if name in columns)
    return replace(
        table.with_columns(columns), roles=roles, numeric_targets=numeric and target not in ("labels", "texts")
    )


def _notes_on_ignored(found: FeatureColumns) -> Iterator[str]:
    named = [
        ("columns without a role", found.text),
        ("index columns, ignored", found.index),
        ("columns without values", found.empty),
    ]
    for words, columns in named:
        if columns:
            yield f"{words}: {', '.join(sorted(map(str, columns)))}"
