"""Mean and scale of inputs and targets, weighted as the loss is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.sequences import Sequences, Windows

__all__ = ["feature_statistics", "weighted_statistics"]


def weighted_statistics(
    rows: NDArray[Any], weight: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation, shape (n_columns,) each, of rows (n_rows, n_columns); 1 for constant columns."""
    rows = rows.astype(np.float64, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):  # callers look whether the result is finite
        mean = np.average(rows, axis=0, weights=weight)
        scale = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weight))
    constant = scale <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(constant, 1.0, scale)


def feature_statistics(
    X: Sequences | Windows, weight: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each feature over valid steps, or over the base rows that windows cover."""
    if isinstance(X, Windows):
        return weighted_statistics(X.base[X.rows], None)
    return weighted_statistics(X.values, None if weight is None else np.repeat(weight, X.lengths))
