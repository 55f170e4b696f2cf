"""Naive forecasts, used as baselines.

Hyndman and Athanasopoulos, 2021, Forecasting: Principles and Practice, 3rd edition, section 5.2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["naive_forecasts", "seasonal_error"]

Values = NDArray[np.float64]

_ROUNDING = 1e-12


def naive_forecasts(history: Values, n_steps: int, season: int) -> dict[str, Values]:
    """Return forecasts of shape (n_steps, n_columns) by name.

    Parameters
    ----------
    history : array of shape (n_timesteps, n_columns)
        The series so far.
    n_steps : int
        Number of time steps to forecast.
    season : int
        Number of time steps of a season.
    """
    rules: dict[str, Callable[[Values, int, int], Values]] = {
        "last value": _last_value,
        "seasonal naive": _seasonal_naive,
        "drift": _drift,
    }
    return {name: rule(history, n_steps, season) for name, rule in rules.items()}


def seasonal_error(history: Values, season: int) -> Values:
    """Return the mean absolute difference of each column to one season earlier, shape (n_columns,).

    A series no longer than a season is compared to one step earlier; NaN for a single step. Differences within
    rounding error are zero.
    """
    lag = season if len(history) > season else 1
    if len(history) <= lag:
        return np.full(history.shape[1], np.nan)
    errors = np.abs(history[lag:] - history[:-lag]).mean(axis=0)
    return np.where(errors > _ROUNDING * np.abs(history).max(axis=0), errors, 0.0)


def _last_value(history: Values, n_steps: int, season: int) -> Values:
    return np.repeat(history[-1:], n_steps, axis=0)


def _seasonal_naive(history: Values, n_steps: int, season: int) -> Values:
    last = history[-season:]
    return last[np.arange(n_steps) % len(last)]


def _drift(history: Values, n_steps: int, season: int) -> Values:
    slope = (history[-1] - history[0]) / max(len(history) - 1, 1)
    steps = np.arange(1, n_steps + 1)[:, None]
    return np.asarray(history[-1] + slope * steps)
