"""Forecasts of any number of steps, which are fed back as inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from seqpipe.estimators.forecasting._samples import with_leads

__all__ = ["rolled"]

Array = NDArray[np.float64]


def rolled(
    predict: Callable[[Array], Array], series: Array, exogenous: Array, n_steps: int, *, window: int, n_at_once: int
) -> Array:
    """Return the steps after several series, shape (n_series, n_steps, n_outputs).

    Parameters
    ----------
    predict : callable
        Returns predictions of shape (n, n_at_once * n_outputs) for windows of shape (n, window, n_columns).
    series : array of shape (n_series, n_timesteps, n_outputs)
        The end of each series, as modelled; with exogenous variables at least window + n_at_once - 1 time steps.
    exogenous : array of shape (n_series, n_timesteps + n_steps, n_features)
        Exogenous variables of these steps, and of those to forecast.
    n_steps : int
        Number of time steps to forecast.
    window, n_at_once : int
        Length of a window, and number of time steps of a prediction.
    """
    n_known = series.shape[1]
    n_total = n_known + n_steps
    while series.shape[1] < n_total:
        block = _next(predict, series, exogenous, n_total, window, n_at_once)
        series = np.concatenate([series, block], axis=1)
    return series[:, n_known:n_total]


def _next(
    predict: Callable[[Array], Array], series: Array, exogenous: Array, n_total: int, window: int, n_at_once: int
) -> Array:
    """Return the steps of one prediction that are new.

    It is made from earlier than the last step if exogenous variables are not known for as many steps.
    """
    end = min(series.shape[1], n_total - n_at_once) if exogenous.shape[2] else series.shape[1]
    tables = with_leads(series[:, end - window : end], exogenous[:, end - window :], n_at_once)
    return predict(tables).reshape(len(series), n_at_once, -1)[:, series.shape[1] - end :]
