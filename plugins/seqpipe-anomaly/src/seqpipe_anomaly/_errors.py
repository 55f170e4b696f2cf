"""Forecasts of the next steps, aligned with the steps that they forecast.

A row of targets or forecasts holds the n_ahead steps after a step, those of one step ahead first. A row of errors holds
the errors of all forecasts of a step, that of the latest forecast first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqpipe import Sequences

__all__ = ["forecast_errors", "next_steps", "step_numbers"]


def step_numbers(X: Sequences) -> NDArray[np.int64]:
    """Return the number of each step within its sequence, shape (total_steps,)."""
    return np.arange(len(X.values)) - np.repeat(X.offsets[:-1], X.lengths)


def next_steps(X: Sequences, n_ahead: int) -> NDArray[np.float64]:
    """Return the targets (total_steps, n_ahead * n_features), NaN at steps that fewer than ``n_ahead`` steps follow."""
    x = X.values.astype(float)
    followed = np.flatnonzero(step_numbers(X) + n_ahead < np.repeat(X.lengths, X.lengths))
    targets = np.full((len(x), n_ahead, X.n_features), np.nan)
    for k in range(1, n_ahead + 1):
        targets[followed, k - 1] = x[followed + k]
    return targets.reshape(len(x), -1)


def forecast_errors(X: Sequences, forecasts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the errors (total_steps, n_ahead * n_features) of forecasts in the form of `next_steps`.

    The first steps of a sequence have fewer forecasts: the errors of the others are NaN.
    """
    x, step = X.values.astype(float), step_numbers(X)
    ahead = forecasts.reshape(len(x), -1, X.n_features)
    errors = np.full(ahead.shape, np.nan)
    for k in range(1, ahead.shape[1] + 1):
        rows = np.flatnonzero(step >= k)
        errors[rows, k - 1] = x[rows] - ahead[rows - k, k - 1]
    return errors.reshape(len(x), -1)
