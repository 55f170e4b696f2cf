"""Casts of sequences to the type of a network, and what of their information a cast keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences._container import Sequences
from seqpipe.sequences._finite import check_finite
from seqpipe.sequences._windows import Windows

__all__ = ["cast", "lost_changes", "offset_of"]

#: Number of rows, and of values, from which typical values are computed.
_ROWS, _VALUES = 2**12, 2**16

#: A feature is centred before a cast if its values exceed their typical deviation by this factor: rounded to float32,
#: their deviations would otherwise be wrong by more than 2**-14.
_FAR = 2**10

#: A difference below this fraction of the values is a rounding error of float64, not information.
_ROUNDING = 1e-14

#: Changes are lost where half of them become wrong by more than this fraction.
_WRONG = 1 / 8


def cast(X: Sequences | Windows, dtype: DTypeLike, offset: NDArray[np.float64] | None = None) -> Sequences | Windows:
    """Return X in another type, minus an offset of each feature, shape (n_features,), which is subtracted in float64.

    X is returned as it is, and not copied, if it has this type and the offset is None or 0.

    Raises
    ------
    InvalidSequencesError
        If a value does not fit the type; the message names its position.
    """
    with np.errstate(over="ignore"):
        found = X.astype(dtype) if offset is None or not offset.any() else _centred(X, offset, np.dtype(dtype))
    try:
        check_finite(found)
    except InvalidSequencesError as error:
        raise InvalidSequencesError(
            f"A value of X is too large for {np.dtype(dtype)}. {error} Rescale X, or compute in float64."
        ) from error
    return found


def _centred(X: Sequences | Windows, offset: NDArray[np.float64], dtype: np.dtype) -> Sequences | Windows:
    values = _values(X)
    centred = np.subtract(values, offset, out=np.empty(values.shape, dtype), casting="same_kind")
    return X.with_base(centred) if isinstance(X, Windows) else X.with_values(centred)


def offset_of(X: Sequences | Windows) -> NDArray[np.float64]:
    """Return what to subtract from each feature before a cast to float32, shape (n_features,).

    It is the median of a feature whose values are large compared with their deviations from it, such as times and prices,
    and 0 for others. A feature with two levels is centred at the more frequent one.
    """
    values = _values(X)
    rows = values[_some_rows(X)].astype(np.float64)
    centre = np.median(rows, axis=0)
    typical = _typical(rows - centre, np.abs(centre))
    return np.where(typical * _FAR < np.abs(centre), centre, 0.0)


def lost_changes(X: Sequences | Windows, seen: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[np.float64]:
    """Return the size of a typical change from one time step to the next, shape (n_features,), where such are lost, else NaN.

    Parameters
    ----------
    X : Sequences or Windows
        Sequences before a cast.
    seen : callable
        Maps rows of X, shape (n, n_features), to what remains of them, in the same units and up to a constant.
    """
    values = _values(X)
    first = _some_rows(X)
    a, b = values[first], values[np.minimum(first + 1, len(values) - 1)]
    with np.errstate(invalid="ignore", over="ignore"):
        exact, remains = np.subtract(b, a, dtype=np.float64), np.subtract(seen(b), seen(a), dtype=np.float64)
        real = np.abs(exact) > _ROUNDING * np.maximum(np.abs(a), np.abs(b))
        wrong = real & ~(np.abs(remains - exact) <= _WRONG * np.abs(exact))
    lost = wrong.sum(axis=0) * 2 > real.sum(axis=0)
    typical = [np.median(np.abs(exact[real[:, j], j])) if lost[j] else np.nan for j in range(X.n_features)]
    return np.array(typical)


def _values(X: Sequences | Windows) -> NDArray[np.floating]:
    return X.base if isinstance(X, Windows) else X.values


def _some_rows(X: Sequences | Windows) -> NDArray[np.intp]:
    """Return the indices of some time steps of X in its values, evenly spread."""
    n = max(1, min(_ROWS, _VALUES // X.n_features))
    if isinstance(X, Sequences):
        return _evenly(len(X.values), n)
    found = _evenly(len(X) * X.window, n)
    return np.asarray(X.starts[found // X.window] + found % X.window)


def _evenly(available: int, n: int) -> NDArray[np.intp]:
    return np.arange(available) if available <= n else np.linspace(0, available - 1, n).astype(np.intp)


def _typical(deviations: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median size of the deviations that are no rounding errors, infinity if there are none."""
    found = np.sort(np.abs(deviations), axis=0)
    n_zero = (found <= _ROUNDING * size).sum(axis=0)
    middle = np.minimum((n_zero + len(found)) // 2, len(found) - 1)
    return np.where(n_zero < len(found), np.take_along_axis(found, middle[None], axis=0)[0], np.inf)
