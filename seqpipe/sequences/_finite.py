"""The check that all values are finite."""

from __future__ import annotations

import numpy as np

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences._container import Sequences
from seqpipe.sequences._windows import Windows

__all__ = ["check_finite"]


def check_finite(X: Sequences | Windows) -> None:
    """Raise `InvalidSequencesError` with the position of the first NaN or infinity in X."""
    values = X.values if isinstance(X, Sequences) else X.base
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):  # the common case: one pass and no mask
            return
    bad = ~np.isfinite(values)
    if isinstance(X, Windows):
        uncovered = np.ones(len(values), dtype=bool)
        uncovered[X.rows] = False
        bad[uncovered] = False
    if not bad.any():
        return
    row, column = (int(i) for i in np.argwhere(bad)[0])
    what = "NaN" if np.isnan(values[row, column]) else "infinity"
    place = _place(X, row, column)
    raise InvalidSequencesError(
        f"Input X contains {what}: {place} ({int(bad.sum())} such values). Networks cannot process it: "
        "fill or drop these steps first."
    )


def _place(X: Sequences | Windows, row: int, column: int) -> str:
    if isinstance(X, Windows):
        return X.describe(row, column)
    sample = int(np.searchsorted(X.offsets, row, side="right")) - 1
    return X.describe(sample, row - int(X.offsets[sample]), column)
