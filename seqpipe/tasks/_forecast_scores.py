"""Metrics of forecasts, and scorers for searches over forecasters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score, root_mean_squared_error

from seqpipe.exceptions import UnknownNameError, did_you_mean
from seqpipe.tables import rows_by_id
from seqpipe.tasks._held_out import HeldOutSeries
from seqpipe.tasks._series_by_id import in_order, series_by_id
from seqpipe.tasks._task import TaskData

__all__ = ["ForecastScorer", "forecast_metrics", "forecast_scorer", "mean_metrics", "metrics_by_id"]

_MEASURES: dict[str, Callable[..., float]] = {
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "r2": r2_score,
    "rmse": root_mean_squared_error,
}
_SKLEARN = {
    "neg_mean_absolute_error": "mae",
    "neg_mean_squared_error": "mse",
    "neg_root_mean_squared_error": "rmse",
}


@dataclass(frozen=True)
class ForecastScorer:
    """A score of a fitted forecaster on the rows after its training data, for a panel the mean over its series.

    Greater is better.

    Called as ``scorer(estimator, X, y=None)``: without y, X is the continuation of the series; with y, X holds the
    exogenous columns. Errors are negated.

    Parameters
    ----------
    measure : {"mae", "mse", "r2", "rmse"}
        The metric, averaged over columns if there are several.
    """

    measure: str

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Return the score."""
        rows = rows_by_id(pd.DataFrame(X))
        truth = np.asarray(X if y is None else y, dtype=np.float64).reshape(len(X), -1)
        predicted = in_order(pd.DataFrame(X), np.asarray(estimator.predict(X), dtype=np.float64).reshape(len(X), -1))
        value = float(np.mean([_MEASURES[self.measure](truth[each], predicted[each]) for each in rows.values()]))
        return value if self.measure == "r2" else -value


def forecast_scorer(name: str) -> ForecastScorer:
    """Return the scorer for a name: r2, mae, mse, rmse, or the scikit-learn name of one of these.

    Raises
    ------
    UnknownNameError
        If there is no such score.
    """
    measure = _SKLEARN.get(name, name)
    if measure not in _MEASURES:
        names = sorted([*_MEASURES, *_SKLEARN])
        raise UnknownNameError(
            f"There is no score {name!r} for forecasts.{did_you_mean(name, names)} There are {', '.join(names)}."
        )
    return ForecastScorer(measure)


def metrics_by_id(data: TaskData, forecast: NDArray[np.float64]) -> dict[Any, dict[str, float]]:
    """Return the metrics of each series, given a forecast of shape (n_rows, n_columns) for the rows of ``data``."""
    scales = data.scales if isinstance(data, HeldOutSeries) else None
    rows = rows_by_id(data.X)
    return {
        id: forecast_metrics(
            series.to_numpy(dtype=np.float64),
            forecast[rows[id]],
            scale=None if scales is None else scales[id],
            columns=[str(column) for column in series.columns],
        )
        for id, series in series_by_id(data).items()
    }


def mean_metrics(by_id: Mapping[Any, Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over series; those that have none, such as mase of a constant, do not count."""
    frame = pd.DataFrame(list(by_id.values()))
    return {str(name): float(value) for name, value in frame.mean().items()}


def forecast_metrics(
    truth: ArrayLike, predicted: ArrayLike, *, scale: ArrayLike | None, columns: Sequence[str]
) -> dict[str, float]:
    """Return mae and rmse, mase if a scale is given, and the mae of each column if there are several.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_steps, n_columns)
        The true values, and the forecast.
    scale : array-like of shape (n_columns,), or None
        The seasonal naive error of the training data, the scale of mase (Hyndman and Koehler, 2006,
        doi:10.1016/j.ijforecast.2006.03.001). Columns where it is zero have no mase and are excluded from the
        mean.
    columns : sequence of str of shape (n_columns,)
        Names of the columns.
    """
    errors = np.abs(np.asarray(truth, dtype=np.float64) - np.asarray(predicted, dtype=np.float64))
    of_column = errors.mean(axis=0)
    metrics = {"mae": float(errors.mean()), "rmse": float(root_mean_squared_error(truth, predicted))}
    if scale is not None:
        metrics["mase"] = _scaled(of_column, np.asarray(scale, dtype=np.float64))
    if len(columns) > 1:
        metrics |= {f"mae_{column}": float(error) for column, error in zip(columns, of_column)}
    return metrics


def _scaled(errors: NDArray[np.float64], scale: NDArray[np.float64]) -> float:
    usable = scale > 0
    return float((errors[usable] / scale[usable]).mean()) if usable.any() else float("nan")
