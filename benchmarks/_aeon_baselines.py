"""Baselines of aeon: MiniRocket with ridge (Dempster et al., 2021), and the nearest neighbour by dynamic time warping."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from _baselines import Task, padded
from problems._problem import Array

__all__ = ["mini_rocket", "nearest_by_dtw"]

#: MiniRocket's shortest input; and more sequences than this make its ridge regression take hours.
_SHORTEST, _MOST_SEQUENCES = 9, 10_000
#: Width of the band of dynamic time warping; the most cells to compute, and their number that a pair costs besides.
_BAND, _MOST_CELLS, _CELLS_PER_PAIR = 0.1, 2e10, 500


def mini_rocket(task: Task) -> Array | None:
    """Fit MiniRocket and ridge; ragged sequences are padded with zeros at the end, as by aeon's Padder."""
    if not _has_aeon(task) or len(task.data.X_train) > _MOST_SEQUENCES:
        return None
    from aeon.classification.convolution_based import MiniRocketClassifier
    from aeon.regression.convolution_based import MiniRocketRegressor

    estimator = MiniRocketRegressor if task.is_regression else MiniRocketClassifier
    model = estimator(n_kernels=84 if task.tiny else 10_000, random_state=task.seed)
    train, test = (padded(X)[0].numpy().transpose(0, 2, 1) for X in (task.data.X_train, task.data.X_test))
    n_timesteps = max(train.shape[2], test.shape[2], _SHORTEST)
    train, test = (np.pad(X, ((0, 0), (0, 0), (0, n_timesteps - X.shape[2]))) for X in (train, test))
    return np.asarray(model.fit(train, task.y_train).predict(test))


def nearest_by_dtw(task: Task) -> Array | None:
    """Take the target of the nearest sequence; the band is a tenth of the length, or unlimited if ragged."""
    train, test = task.data.X_train, task.data.X_test
    ragged = not (isinstance(train, np.ndarray) and isinstance(test, np.ndarray))
    if not _has_aeon(task) or _n_cells(train, test, 1.0 if ragged else _BAND) > _MOST_CELLS:
        return None
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier
    from aeon.regression.distance_based import KNeighborsTimeSeriesRegressor

    estimator = KNeighborsTimeSeriesRegressor if task.is_regression else KNeighborsTimeSeriesClassifier
    model = estimator(distance="dtw", distance_params=None if ragged else {"window": _BAND}, n_neighbors=1)
    train, test = (_channels_first(X) for X in (train, test))
    return np.asarray(model.fit(train, task.y_train).predict(test))


def _has_aeon(task: Task) -> bool:
    """Whether aeon is installed and has methods for the task: it has none for a target per time step."""
    return not task.is_stepwise and find_spec("aeon") is not None


def _n_cells(train: Any, test: Any, band: float) -> float:
    n_pairs = len(train) * len(test)
    steps = sum(map(len, train)) / len(train) * sum(map(len, test)) / len(test)
    return float(n_pairs * (steps * band + _CELLS_PER_PAIR))


def _channels_first(X: Any) -> Any:
    """Return the sequences with time last, as aeon expects them."""
    if isinstance(X, np.ndarray):
        return X.transpose(0, 2, 1).astype(float)
    return [np.ascontiguousarray(x.T, dtype=float) for x in X]
