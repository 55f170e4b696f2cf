"""Scores of the steps of one sequence while they arrive."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe_anomaly._gaussian import ErrorDistribution

__all__ = ["ForecastErrorStream"]


class ForecastErrorStream:
    """Scores each step as `ForecastErrorDetector.score_samples` does, from the forecasts that were made before it.

    Parameters
    ----------
    forecasts : stream
        Stream of the network's forecasts.
    distribution : ErrorDistribution
        Distribution of the errors at normal steps.

    Attributes
    ----------
    n_steps : int
        Number of time steps since the beginning or the last `reset`.
    """

    def __init__(self, forecasts: Any, distribution: ErrorDistribution) -> None:
        self._forecasts = forecasts
        self._distribution = distribution
        self.reset()

    def reset(self) -> None:
        """Reset the state; the next time step begins a new sequence."""
        self._forecasts.reset()
        self._latest: deque[NDArray[np.float64]] = deque()
        self.n_steps = 0

    def push(self, steps: Any) -> Any:
        """Return the score of the next step (n_features,), or of each of several, (n_timesteps, n_features)."""
        rows = np.asarray(steps, dtype=float)
        return self._score(rows) if rows.ndim == 1 else np.array([self._score(row) for row in rows])

    def _score(self, x_t: NDArray[np.float64]) -> float:
        forecast = np.asarray(self._forecasts.push(x_t), dtype=float).reshape(-1, len(x_t))
        e = np.full(forecast.shape, np.nan)
        for k, earlier in enumerate(self._latest):
            e[k] = x_t - earlier[k]
        self._latest.appendleft(forecast)
        if len(self._latest) > len(forecast):
            self._latest.pop()
        self.n_steps += 1
        return -float(self._distribution.distance(e.reshape(1, -1))[0])
