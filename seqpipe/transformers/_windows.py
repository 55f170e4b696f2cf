"""Conversion of a series to overlapping windows, each a sample with its target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows, readable
from seqpipe.tables import check_one_series
from seqpipe.transformers._parameters import check_integer

__all__ = ["make_windows"]


def make_windows(
    X: Any, y: Any = None, *, window: int, horizon: int = 1, stride: int = 1
) -> tuple[Windows, NDArray[Any], NDArray[np.int64]]:
    """Return all windows of a series, the values that follow each, and their first rows.

    Call it before splitting the data, and split with :class:`WindowSplit`: neighbouring windows
    share rows, so that with a shuffled split test data leaks into training.

    Parameters
    ----------
    X : array of shape (n_rows,) or (n_rows, n_features), DataFrame, or Sequences
        A series in order of time, which is validated for a pandas index, or several series; windows do not cross from
        one series into the next. Float32 and float64 arrays are not copied, memory-mapped ones stay on disk.
    y : array of shape (n_rows,) or (n_rows, n_targets), Series, DataFrame or Sequences, optional
        The values to predict, with the same rows as X; by default all columns of X.
    window : int
        Length of a window, in time steps.
    horizon : int, default=1
        Number of time steps after a window that its target spans; 0 for the target at the last row of the window.
    stride : int, default=1
        Distance between the starts of consecutive windows, in time steps.

    Returns
    -------
    windows : Windows of shape (n_windows, window, n_features)
        Views of X.
    targets : array of shape (n_windows,) or (n_windows, n_outputs)
        One-dimensional if a window has a single target. With several rows and columns, n_outputs is horizon *
        n_targets, the columns of the first row first.
    starts : array of int, shape (n_windows,)
        First row of each window; with several series, counted across all of them.

    Raises
    ------
    InvalidSequencesError
        If a series is shorter than window + horizon, X and y differ in length, rows are not in order of time or belong
        to several series, or a parameter is out of range.

    Examples
    --------
    >>> from seqpipe.transformers import make_windows
    >>> windows, targets, starts = make_windows([1.0, 2.0, 3.0, 4.0, 5.0], window=3)
    >>> windows[1].ravel(), targets, starts
    (array([2., 3., 4.]), array([4., 5.]), array([0, 1]))
    """
    check_integer("make_windows", "window", window, minimum=1)
    check_integer("make_windows", "horizon", horizon, minimum=1 if y is None else 0)
    check_integer("make_windows", "stride", stride, minimum=1)
    check_one_series(X, y, owner="make_windows")
    series = X if isinstance(X, Sequences) else _one_series(X)
    starts = _starts(series, window + horizon, stride)
    windows = Windows(
        series.values,
        starts,
        window,
        horizon=horizon,
        offsets=series.offsets,
        feature_names=series.feature_names,
    )
    return windows, _targets(series, y, windows), starts


def _one_series(X: Any) -> Sequences:
    X = readable(X)
    names = tuple(str(name) for name in X.columns) if hasattr(X, "columns") else None
    array = np.asarray(X)
    if array.ndim not in (1, 2):
        raise InvalidSequencesError(
            f"A series has shape (n_rows,) or (n_rows, n_features), got {array.shape}: give several series "
            "as Sequences."
        )
    return Sequences(array, [0, len(array)], feature_names=names)


def _starts(series: Sequences, needed: int, stride: int) -> NDArray[np.int64]:
    lengths = series.lengths
    short = np.flatnonzero(lengths < needed)
    if len(short):
        raise InvalidSequencesError(_too_short(series, short, needed))
    counts = (lengths - needed) // stride + 1
    before = np.cumsum(counts) - counts
    within = np.arange(counts.sum()) - np.repeat(before, counts)
    return np.asarray(np.repeat(series.offsets[:-1], counts) + within * stride, dtype=np.int64)


def _too_short(series: Sequences, short: NDArray[np.int64], needed: int) -> str:
    if len(series) == 1 and series.ids is None:
        rows = series.lengths[0]
        return f"The series has {rows} rows, but window + horizon needs {needed}: choose a smaller window."
    named = ", ".join(f"{series.describe(int(i))} with {series.lengths[i]} rows" for i in short[:5])
    more = f" and {len(short) - 5} more" if len(short) > 5 else ""
    return (
        f"window + horizon needs {needed} rows, and {len(short)} of {len(series)} series are shorter: "
        f"{named}{more}. Choose a smaller window, or leave them out with X[X.lengths >= {needed}]."
    )


def _targets(series: Sequences, y: Any, windows: Windows) -> NDArray[Any]:
    values = series.values if y is None else _aligned(series, y)
    if y is None and series.n_features == 1:
        values = values[:, 0]
    first = windows.first_target_rows
    if windows.horizon <= 1:
        return np.asarray(values[first])
    return np.asarray(values[first[:, None] + np.arange(windows.horizon)].reshape(len(windows), -1))


def _aligned(series: Sequences, y: Any) -> NDArray[Any]:
    if isinstance(y, Sequences):
        if not np.array_equal(y.offsets, series.offsets):
            raise InvalidSequencesError(
                "The sequences of X and y must have the same lengths, one target per time step."
            )
        return y.values[:, 0] if y.n_features == 1 else y.values
    values = np.asarray(readable(y, "y"))
    if values.ndim not in (1, 2) or len(values) != len(series.values):
        raise InvalidSequencesError(
            "y must have shape (n_rows,) or (n_rows, n_targets) with one row for each of the "
            f"{len(series.values)} rows of X. Got shape {values.shape} instead."
        )
    return values
