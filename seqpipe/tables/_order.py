"""Rows of a table grouped by sequence, with times checked to be increasing."""

from __future__ import annotations

import numpy as np

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._rising import check_rising
from seqpipe.tables._table import Table, others
from seqpipe.tables._times import ordinals, read_times

__all__ = ["ordered"]


def ordered(table: Table, *, sort: bool) -> Table:
    """Return the table with the rows of each id adjacent and increasing in time, its times as returned by `read_times`.

    Raises
    ------
    InvalidSequencesError
        If an id or time is missing, a time cannot be parsed or occurs twice in an id, or rows are not in order and
        ``sort`` is False.
    """
    roles = table.roles
    if roles.id is not None:
        _check_present(table, roles.id)
    if roles.time is None:
        return table.take(np.argsort(table.codes, kind="stable"))
    written = table.frame[roles.time]
    times = read_times(written, table.place)
    order = np.lexsort((ordinals(times), table.codes)) if sort else np.argsort(table.codes, kind="stable")
    in_order = table.with_column(roles.time, times).take(order)
    check_rising(
        in_order.frame[roles.time],
        in_order.codes,
        in_order.place,
        written=written.iloc[order],
        if_falling="Sort the file, or write 'sort: true' under 'data:' in the recipe."
        + (
            ""
            if table.roles.id is not None
            else " If it has several sequences, name the column that identifies them as 'id'."
        ),
        if_doubled="A sequence must have one row per time: remove one of the two.",
    )
    return in_order


def _check_present(table: Table, column: str) -> None:
    absent = table.frame[column].isna().to_numpy()
    if absent.any():
        place = table.place(int(np.argmax(absent)))
        raise InvalidSequencesError(
            f"{place}: column {column!r} is empty{others(int(absent.sum()))}. Every row needs it: fill it in."
        )
