"""The sums over all rows and steps in the gradients of parameters, as few matrix products as possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from seqpipe.recurrence.compiler.program import Atom, LoopSum

__all__ = ["sums_over_rows"]


def sums_over_rows(
    sums: Sequence[LoopSum], rows_of: Callable[[Atom], Tensor], concatenated: Callable[[Sequence[Atom]], Tensor]
) -> dict[int, Tensor]:
    """Return each sum by its slot.

    Parameters
    ----------
    sums : sequence of LoopSum
    rows_of : callable
        Returns the rows of an atom, (n_rows, width), zero in the padding.
    concatenated : callable
        Returns the same for several atoms, concatenated.
    """
    by_rows: dict[Atom | None, list[LoopSum]] = {}
    for found in sums:
        by_rows.setdefault(found.rows, []).append(found)
    results: dict[int, Tensor] = {}
    for rows, group in by_rows.items():
        columns = concatenated([found.columns for found in group])
        total = columns.sum(0) if rows is None else columns.t() @ rows_of(rows)
        for found, part in zip(group, total.split([found.columns.width for found in group])):
            results[found.slot] = part.t() if found.turned else part
    return results
