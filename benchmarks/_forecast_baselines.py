"""Baselines for forecasts: naive ones, ridge on lags, exponential smoothing and Theta; series by series but for ridge."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from problems import Series
from problems._problem import Array
from sklearn.linear_model import RidgeCV

__all__ = ["drift", "ets", "last_value", "mase", "ridge_on_lags", "seasonal_naive", "theta"]

#: Fewest lags of ridge.
_FEWEST_LAGS = 12


def last_value(data: Series) -> Array:
    """Repeat the last row."""
    return np.repeat(data.train[-1:], len(data.future), axis=0)


def seasonal_naive(data: Series) -> Array:
    """Repeat the last season."""
    n_seasons = -(-len(data.future) // data.period)
    season = data.train[-data.period :]
    return np.concatenate([season] * n_seasons)[: len(data.future)]


def drift(data: Series) -> Array:
    """Continue the line from the first to the last row."""
    step = (data.train[-1] - data.train[0]) / (len(data.train) - 1)
    ahead = np.arange(1, len(data.future) + 1).reshape(-1, *[1] * (data.train.ndim - 1))
    return np.asarray(data.train[-1] + ahead * step)


def ridge_on_lags(data: Series) -> Array:
    """Fit cross-validated ridge from two seasons, 12 rows at least, to all rows to forecast."""
    series = data.train.reshape(len(data.train), -1)
    mean, spread = series.mean(axis=0), series.std(axis=0)
    scaled, horizon = (series - mean) / spread, len(data.future)
    n_lags = min(max(2 * data.period, _FEWEST_LAGS), (len(series) - horizon) // 2)
    windows = np.lib.stride_tricks.sliding_window_view(scaled, n_lags + horizon, axis=0).transpose(0, 2, 1)
    X, y = (part.reshape(len(windows), -1) for part in (windows[:, :n_lags], windows[:, n_lags:]))
    model = RidgeCV(np.logspace(-3, 3, 13)).fit(X, y)
    forecast = model.predict(scaled[-n_lags:].reshape(1, -1)).reshape(horizon, -1)
    return np.asarray((forecast * spread + mean).reshape(data.future.shape))


def ets(data: Series) -> Array | None:
    """Fit exponential smoothing; trend (damped) and season (additive, multiplicative) are chosen by AICc."""
    return _per_series(_ets, data)


def theta(data: Series) -> Array | None:
    """Fit the Theta model (Assimakopoulos, Nikolopoulos, 2000); deseasonalised if a test finds a season."""
    return _per_series(_theta, data)


def _per_series(forecast: Callable[[Array, int, int], Array], data: Series) -> Array | None:
    if find_spec("statsmodels") is None:
        return None
    columns = data.train.reshape(len(data.train), -1).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits that do not converge fully are still forecasts
        forecasts = [forecast(column, len(data.future), data.period) for column in columns]
    return np.stack(forecasts, axis=1).reshape(data.future.shape)


def _ets(series: Array, horizon: int, period: int) -> Array:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    seasons: list[str | None] = [None]
    if period > 1:
        seasons += ["add", "mul"] if series.min() > 0 else ["add"]
    fits: list[Any] = []
    for trend in (None, "add"):
        for season in seasons:
            model = ExponentialSmoothing(
                series, trend=trend, damped_trend=trend is not None, seasonal=season, seasonal_periods=period
            )
            fits.append(model.fit())
    best = min(fits, key=lambda fit: fit.aicc if np.isfinite(fit.aicc) else np.inf)
    return np.asarray(best.forecast(horizon))


def _theta(series: Array, horizon: int, period: int) -> Array:
    from statsmodels.tsa.forecasting.theta import ThetaModel

    return np.asarray(ThetaModel(series, period=period, deseasonalize=period > 1).fit().forecast(horizon))


def mase(data: Series, forecast: Array) -> float:
    """Return the mean absolute error over that of the seasonal naive forecast within the training part.

    The mean absolute scaled error of Hyndman and Koehler (2006); of several series, the mean.
    """
    scale = np.abs(data.train[data.period :] - data.train[: -data.period]).mean(axis=0)
    return float(np.mean(np.abs(data.future - forecast).mean(axis=0) / scale))
