"""The valid time steps of sequences as the rows of one matrix, and functions of these rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.sequences import Sequences, Windows

__all__ = ["map_steps", "valid_steps"]


def valid_steps(X: Sequences | Windows) -> NDArray[Any]:
    """Return all time steps as rows, shape (total_steps, n_features); of windows, the rows of the series they cover."""
    return X.base[X.rows] if isinstance(X, Windows) else X.values


def map_steps(X: Sequences | Windows, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Sequences | Windows:
    """Return the sequences with a function applied to `valid_steps`; it may change the number of features.

    Rows that no window covers, which were not validated, become NaN.
    """
    if isinstance(X, Sequences):
        return X.with_values(function(X.values))
    rows = X.rows
    if len(rows) == len(X.base):
        return X.with_base(function(X.base))
    found = function(X.base[rows])
    base = np.full((len(X.base), found.shape[1]), np.nan, dtype=found.dtype)
    base[rows] = found
    return X.with_base(base)
