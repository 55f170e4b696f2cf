"""A table's rows put together by sequence and checked to rise in time."""

from __future__ import annotations

import numpy as np

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._rising import check_rising
from seqpipe.tables._table import Table, others
from seqpipe.tables._times import ordinals, read_times

__all__ = ["ordered"]


def ordered(table: Table, *, sort: bool) -> Table:
    """Return the table with each id's rows together and rising in time, its times as `read_times` gives them.

    Raises
    ------
    InvalidSequencesError
        If an id or time is missing, a time cannot be read or comes twice in an id, or rows do not rise and ``sort``
        does not allow to reorder them.
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
        if_falling="Sort the file, or write 'sort: true' under 'data:' in the recipe.",
        if_doubled="A sequence has one row per time: remove one of the two.",
    )
    return in_order


def _check_present(table: Table, column: str) -> None:
    absent = table.frame[column].isna().to_numpy()
    if absent.any():
        place = table.place(int(np.argmax(absent)))
        raise InvalidSequencesError(
            f"{place}: column {column!r} is empty{others(int(absent.sum()))}. Every row needs it: fill it in."
        )
