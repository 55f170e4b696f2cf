"""Mean and scale of inputs and targets, with the weights of the loss, without a copy of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.sequences import Sequences, Windows

__all__ = ["feature_statistics", "weighted_statistics"]

#: Number of rows that are processed at once, in float64.
_BLOCK = 2**16

#: Standard deviations above this are the roots of numbers that float64 represents precisely.
_SMALLEST = 1e-150

#: Rows (n, n_columns), and their weights (n,) or None.
_Part = tuple[NDArray[Any], NDArray[np.float64] | None]


def weighted_statistics(
    rows: NDArray[Any], weight: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation, shape (n_columns,) each, of rows (n_rows, n_columns).

    The standard deviation of constant columns is set to 1.
    """
    return _statistics(lambda: _parts(rows, weight))


def feature_statistics(
    X: Sequences | Windows, weight: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each feature over valid steps, or over the base rows that windows cover."""
    if isinstance(X, Windows):
        return _statistics(lambda: _covered_parts(X))
    return weighted_statistics(X.values, None if weight is None else np.repeat(weight, X.lengths))


def _statistics(parts: Callable[[], Iterable[_Part]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    with np.errstate(over="ignore", invalid="ignore"):  # callers check that the result is finite
        mean = _average((rows.astype(np.float64, copy=False), weight) for rows, weight in parts())
        scale = np.sqrt(_average(((rows - mean) ** 2, weight) for rows, weight in parts()))
        if not ((scale > _SMALLEST) & np.isfinite(scale)).all():  # squares may be out of float64's range
            peak = np.max([np.abs(rows - mean).max(axis=0, initial=0) for rows, _ in parts()], axis=0)
            peak = np.where(peak > 0, peak, 1.0)
            scale = peak * np.sqrt(_average((((rows - mean) / peak) ** 2, weight) for rows, weight in parts()))
    constant = scale <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(constant, 1.0, scale)


def _average(parts: Iterable[_Part]) -> NDArray[np.float64]:
    total, mass = np.zeros(1), 0.0
    for rows, weight in parts:
        total = total + (rows if weight is None else rows * weight[:, None]).sum(axis=0)
        mass += len(rows) if weight is None else weight.sum()
    return total / mass


def _parts(rows: NDArray[Any], weight: NDArray[np.float64] | None) -> Iterator[_Part]:
    for begin in range(0, len(rows), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        yield rows[part], None if weight is None else weight[part]


def _covered_parts(X: Windows) -> Iterator[_Part]:
    rising = bool((X.starts[1:] >= X.starts[:-1]).all())
    starts = X.starts if rising else np.sort(X.starts)
    for begin in range(0, len(X.base), _BLOCK):
        rows = X.base[begin : begin + _BLOCK]
        covered = _covered(starts, X.window, begin, len(rows))
        yield rows if covered.all() else rows[covered], None


def _covered(starts: NDArray[np.int64], window: int, begin: int, n: int) -> NDArray[np.bool_]:
    """Return a mask of the n rows from ``begin`` that lie in at least one window, given the sorted window starts."""
    first, last = np.searchsorted(starts, [begin - window, begin + n], side="left")
    reaching = starts[first:last] - begin
    opened = np.bincount(reaching.clip(min=0), minlength=n + 1)
    closed = np.bincount((reaching + window).clip(min=0, max=n), minlength=n + 1)
    return np.cumsum(opened - closed)[:n] > 0
