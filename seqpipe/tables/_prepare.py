"""Preparation of long tables: rows in order, missing values handled, and notes on what was done."""

from __future__ import annotations

from collections.abc import Iterator

from pandas.api.types import is_numeric_dtype

from seqpipe.tables._gaps import Gaps, time_gaps
from seqpipe.tables._missing import Missing, without_missing
from seqpipe.tables._order import ordered
from seqpipe.tables._table import Table

__all__ = ["count", "prepared"]


def prepared(table: Table, *, sort: bool, missing: Missing) -> tuple[Table, list[str]]:
    """Return a table in order and without missing values, and notes on what was done; only if a row is a time step.

    Raises
    ------
    InvalidSequencesError
        If a row is invalid and the options do not allow to fix it.
    """
    if not table.is_long:  # the task validates whole rows
        return table, []
    in_order = ordered(table, sort=sort)
    complete = without_missing(in_order, missing)
    return complete, list(_notes(table, in_order, complete))


def count(number: int, noun: str, plural: str = "s") -> str:
    """Return a count with its noun, such as "1 step" and "2,000 steps"."""
    return f"{number:,} {noun}{plural if number != 1 else ''}"


def _notes(table: Table, in_order: Table, complete: Table) -> Iterator[str]:
    columns = table.value_columns
    empty = int(table.frame[columns].isna().to_numpy().sum())
    if empty and len(complete.frame) == len(table.frame):
        yield f"{count(empty, 'empty cell')} filled"
    elif empty:
        yield f"{count(len(table.frame) - len(complete.frame), 'step')} with empty cells dropped"
    if table.roles.time is not None:
        yield from _notes_on_time(table, in_order, table.roles.time)


def _notes_on_time(table: Table, in_order: Table, time: str) -> Iterator[str]:
    written, times = table.frame[time], in_order.frame[time]
    if is_numeric_dtype(written.dtype) and times.dtype.kind == "M":
        yield f"{time!r} read as dates without separators: {times.iloc[0]} to {times.iloc[-1]}"
    gaps = time_gaps(times, in_order.codes)
    if gaps is not None and gaps.n_gaps:
        yield _note_on_gaps(gaps)


def _note_on_gaps(gaps: Gaps) -> str:
    where = f" in {count(gaps.n_sequences, 'sequence')}"
    return f"{count(gaps.n_gaps, 'gap')} in time{where} (steps wider than the usual {gaps.step})"
