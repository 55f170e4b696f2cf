"""Forecasts of the model of a task, and of its baselines, for rows of one or several series."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.tables import rows_by_id, season_of
from seqpipe.tasks._lag_baseline import RIDGE, lag_forecast
from seqpipe.tasks._naive import naive_forecasts
from seqpipe.tasks._parameters import last_step
from seqpipe.tasks._series_by_id import in_order, series_by_id
from seqpipe.tasks._task import TaskData

__all__ = ["baseline_forecasts", "model_forecast", "season_length", "transformed"]

Values = NDArray[np.float64]


def model_forecast(estimator: Any, data: TaskData) -> Values:
    """Return the forecast for the rows of ``data``, shape (n_rows, n_columns)."""
    if data.history is None:
        forecast = last_step(estimator).predict(_asked(estimator, data))
    else:
        known = transformed(estimator, data.history.X)
        history = known if data.history.y is None else (known, data.history.y)
        forecast = last_step(estimator).predict(_asked(estimator, data), history=history)
    return in_order(data.X, np.asarray(forecast, dtype=np.float64).reshape(len(data.X), -1))


def transformed(estimator: Any, X: pd.DataFrame) -> Any:
    """Return X after the steps before the forecaster."""
    best = getattr(estimator, "best_estimator_", estimator)
    return best[:-1].transform(X) if len(getattr(best, "steps", ())) > 1 else X


def baseline_forecasts(train: TaskData, test: TaskData, season: int | Literal["auto"]) -> dict[str, Values]:
    """Return the forecasts of baselines by name, shape (n_rows, n_columns).

    The naive ones know the series itself; ridge on lags is one model of all series, as the forecaster is.
    """
    known, length = series_by_id(train), season_length(train, season)
    n_steps = {id: len(rows) for id, rows in rows_by_id(test.X).items()}
    by_id = {id: naive_forecasts(known[id].to_numpy(dtype=np.float64), n, length) for id, n in n_steps.items()}
    names = list(next(iter(by_id.values())))
    naive = {name: in_order(test.X, np.concatenate([found[name] for found in by_id.values()])) for name in names}
    ahead = len(test.X) if train.y is None and None in n_steps else test.X
    ridge = lag_forecast(train.X, train.y, ahead, n_steps=max(n_steps.values()), season=season)
    if ridge is None:
        return naive
    return {**naive, RIDGE: in_order(test.X, ridge.reshape(len(test.X), -1))}


def season_length(data: TaskData, season: int | Literal["auto"]) -> int:
    """Return the number of time steps of a season; with "auto" the longest that the dates of a series have."""
    if season != "auto":
        return season
    return max(season_of(series.index) for series in series_by_id(data).values())


def _asked(estimator: Any, data: TaskData) -> Any:
    """Return what `Forecaster.predict` takes: exogenous variables, the rows of a panel, or a number of rows."""
    if data.y is not None or data.roles.features is not None:
        return transformed(estimator, data.X)
    return data.X[[]] if isinstance(data.X.index, pd.MultiIndex) else len(data.X)
