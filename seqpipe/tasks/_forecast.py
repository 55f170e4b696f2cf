"""Forecasting: predicting the continuation of a series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import ceil
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import TimeSeriesSplit

from seqpipe.diagnostics import plot_forecast, plot_forecast_fan, plot_learning_curves
from seqpipe.estimators import Forecaster, SequenceRegressor
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import (
    Roles,
    TargetType,
    check_complete,
    check_roles,
    index_after,
    numeric_features,
    season_of,
    series_frame,
    time_index,
)
from seqpipe.tasks._forecast_scores import ForecastScorer, forecast_metrics, forecast_scorer
from seqpipe.tasks._lag_baseline import RIDGE, lag_forecast
from seqpipe.tasks._naive import naive_forecasts, seasonal_error
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._task import Task, TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["ForecastTask", "HeldOutSeries"]

_INNER = "estimator"
_INSERT = "Insert them; their values may be empty with 'missing: interpolate' or 'missing: forward' under 'data:'."


@dataclass(frozen=True)
class HeldOutSeries(TaskData):
    """The held-out end of a series, with the scale of its errors.

    Attributes
    ----------
    scale : array of shape (n_columns,), or None
        The seasonal naive error of the training data.
    """

    scale: NDArray[np.float64] | None = None


class ForecastTask(Task):
    """Predict the steps after the end of a series with a `Forecaster`.

    The target columns are the series. Feature columns are exogenous variables, which must be known for the forecast
    steps as well. Under ``task:`` a recipe may also set ``season``, the number of time steps of a season, for the
    window, the seasonal naive forecast and the scale of mase; by default it is inferred from the dates (12 for months),
    and is 1 if they have no known season.
    """

    target_type: ClassVar[TargetType] = "series"
    constant_baseline: ClassVar[str | None] = "last value"
    constant_metrics: ClassVar[tuple[str, ...]] = ("mae", "rmse")
    refits: ClassVar[bool] = True

    def __init__(self, season: int | Literal["auto"] = "auto") -> None:
        self._season = season

    def with_settings(self, params: Mapping[str, Any]) -> tuple[Task, dict[str, Any]]:
        """Return the task with ``season``, if that is among the parameters, and the others.

        Raises
        ------
        ValueError
            If ``season`` is not a positive integer or "auto".
        """
        others = dict(params)
        return ForecastTask(_checked_season(others.pop("season", self._season))), others

    def from_table(self, frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool = True) -> TaskData:
        """Turn a table into a series.

        Parameters
        ----------
        frame : DataFrame of shape (n_timesteps, n_columns)
            The table.
        roles : Roles
            Roles of its columns; without targets, every numeric column without another role is forecast.
        name : str
            Name of the data in errors and reports.
        with_target : bool, default=True
            False for the steps to forecast: X then holds the exogenous columns, or only the time.

        Raises
        ------
        InvalidSequencesError
            If a column is missing, there is more than one id, times do not increase, or a value is invalid; the
            message names the position.
        """
        check_roles(frame, roles, name=name, with_target=with_target)
        _refuse_many_series(frame, roles, name)
        index = time_index(frame, roles.time, name=name)
        features = [] if roles.features is None else numeric_features(frame, roles, name=name)
        X = series_frame(frame, features, index, name=name)
        if not with_target:
            return TaskData(X, None, name, roles)
        targets = numeric_features(frame, replace(roles, features=roles.target or None, target=()), name=name)
        series = series_frame(frame, targets, index, name=name)
        check_complete(index, name=repr(name), remedy=_INSERT)
        return TaskData(X, series, name, roles) if features else TaskData(series, None, name, roles)

    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return a `Forecaster` of a `SequenceRegressor`, with ``params`` of either.

        Raises
        ------
        UnknownNameError
            If neither has such a parameter.
        """
        return configured(
            Forecaster(SequenceRegressor(), season=self._season), params, task="forecast", inner=self.parameter
        )

    def parameter(self, name: str) -> str:
        """Return the forecaster's name for a parameter of its inner regressor."""
        if name.partition("__")[0] in {_INNER, *Forecaster().get_params(deep=False)}:
            return name
        known = name.partition("__")[0] == "net" or name in SequenceRegressor().get_params(deep=False)
        return f"{_INNER}__{name}" if known else name

    def split(self, estimator: Any, data: TaskData, *, test_size: float | int, seed: int) -> tuple[TaskData, TaskData]:
        """Hold out the last rows: a fraction, or a number of them.

        Raises
        ------
        InvalidSequencesError
            If the data is not a series.
        ValueError
            If one side would be empty.
        """
        if not isinstance(data.X, pd.DataFrame):
            raise InvalidSequencesError(
                f"{data.name!r} holds samples, but forecasting needs a series: give a table with one row per time step."
            )
        n_rows = len(data.X)
        n_test = int(test_size) if isinstance(test_size, Integral) else ceil(n_rows * test_size)
        if not 0 < n_test < n_rows:
            raise ValueError(
                f"test_size={test_size!r} would hold out {n_test} of {n_rows} rows: give a fraction between 0 "
                f"and 1, or a number from 1 to {n_rows - 1}."
            )
        cut = n_rows - n_test
        y_train, y_test = (None, None) if data.y is None else (data.y.iloc[:cut], data.y.iloc[cut:])
        train = replace(data, X=data.X.iloc[:cut], y=y_train)
        common = {field.name: getattr(data, field.name) for field in fields(TaskData)}
        scale = seasonal_error(_values(_series(train)), self._season_length(train))
        return train, HeldOutSeries(**{**common, "X": data.X.iloc[cut:], "y": y_test}, scale=scale)

    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> TimeSeriesSplit:
        """Return folds whose test steps follow their training data.

        A test fold has the length of one horizon if this leaves at least half of the rows to the first training fold,
        otherwise the folds have equal lengths.
        """
        horizon = last_step(estimator).horizon
        fits = isinstance(horizon, int) and horizon > 1 and 2 * n_splits * horizon <= len(data.X)
        return TimeSeriesSplit(n_splits, test_size=horizon if fits else None)

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return mae and rmse, mase for data returned by `split`, and the mae of each column if there are several."""
        return _scored(data, _forecast(estimator, data))

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of the last value, the seasonal naive and the drift forecast, and of ridge on lags."""
        return {name: _scored(test, forecast) for name, forecast in self._simple(train, test).items()}

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the forecast with the truth and the baselines, the learning curves, and a fan chart if possible.

        The fan chart requires more than one horizon of held-out steps.
        """
        forecasts = {"model": _forecast(estimator, test), **self._simple(train, test)}
        return {
            "forecast": plot_forecast(_series(train), _series(test), forecasts),
            **_fan(estimator, train, test),
            "learning_curves": plot_learning_curves({"model": last_step(estimator).estimator_.history_}),
        }

    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return one row per forecast step: its time, or its number from 1 if there are no times, and each target."""
        forecast = _forecast(estimator, data)
        dated = data.roles.time is not None or data.X.index.dtype.kind in "mM"
        index = data.X.index if dated else pd.RangeIndex(1, len(forecast) + 1, name="step")
        frame = pd.DataFrame(forecast, columns=_target_names(estimator, data, forecast.shape[1]))
        frame.insert(0, str(index.name or "time"), index)
        return frame

    def future(self, data: TaskData, n_steps: int) -> TaskData:
        """Return the steps after the end of ``data`` for `predictions`, without exogenous columns.

        Dates continue at their inferred frequency and in their time zone; without a frequency, steps are counted from
        1.
        """
        index = index_after(data.X.index, n_steps)
        roles = data.roles if index.name == data.X.index.name else replace(data.roles, time=None)
        return TaskData(pd.DataFrame(index=index), None, data.name, roles)

    def scorer(self, name: str | None) -> ForecastScorer | None:
        """Return the scorer for r2, mae, mse, rmse or the scikit-learn names of these; None for None.

        Raises
        ------
        UnknownNameError
            If there is no such score.
        """
        return None if name is None else forecast_scorer(name)

    def _season_length(self, data: TaskData) -> int:
        return season_of(data.X.index) if self._season == "auto" else self._season

    def _simple(self, train: TaskData, test: TaskData) -> dict[str, NDArray[np.float64]]:
        """Return the forecasts of the baselines."""
        n_steps = len(test.X)
        naive = naive_forecasts(_values(_series(train)), n_steps, self._season_length(train))
        ahead = n_steps if train.y is None else test.X
        ridge = lag_forecast(train.X, train.y, ahead, n_steps=n_steps, season=self._season)
        return naive if ridge is None else {**naive, RIDGE: ridge.reshape(n_steps, -1)}


def _series(data: TaskData) -> pd.DataFrame:
    """Return the columns to forecast."""
    return pd.DataFrame(data.X if data.y is None else data.y)


def _values(series: pd.DataFrame) -> NDArray[np.float64]:
    return series.to_numpy(dtype=np.float64)


def _forecast(estimator: Any, data: TaskData) -> NDArray[np.float64]:
    """Return the forecast for the rows of ``data``, shape (n_steps, n_columns)."""
    exogenous = data.y is not None or data.roles.features is not None
    X = _transformed(estimator, data.X) if exogenous else len(data.X)
    if data.history is None:
        forecast = last_step(estimator).predict(X)
    else:
        known = _transformed(estimator, data.history.X)
        history = known if data.history.y is None else (known, data.history.y)
        forecast = last_step(estimator).predict(X, history=history)
    return np.asarray(forecast, dtype=np.float64).reshape(len(data.X), -1)


def _transformed(estimator: Any, X: Any) -> Any:
    """Return X after the steps before the forecaster."""
    best = getattr(estimator, "best_estimator_", estimator)
    return best[:-1].transform(X) if len(getattr(best, "steps", ())) > 1 else X


def _fan(estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
    """Return the fan chart of forecasts from every origin in the held-out steps, if these exceed one horizon."""
    forecaster = last_step(estimator)
    if len(test.X) <= forecaster.horizon:
        return {}
    forecasts = forecaster.backtest(_transformed(estimator, test.X), test.y)
    return {"forecast_fan": plot_forecast_fan(_series(train), _series(test), forecasts)}


def _scored(data: TaskData, forecast: NDArray[np.float64]) -> dict[str, float]:
    series = _series(data)
    scale = data.scale if isinstance(data, HeldOutSeries) else None
    return forecast_metrics(_values(series), forecast, scale=scale, columns=[str(column) for column in series.columns])


def _target_names(estimator: Any, data: TaskData, n_columns: int) -> list[str]:
    series = _series(data)
    if data.roles.target:
        return list(data.roles.target)
    if data.roles.features is None and series.shape[1] == n_columns:
        return [str(column) for column in series.columns]
    known = getattr(last_step(estimator), "feature_names_in_", range(n_columns))
    return [str(name) for name in known]


def _checked_season(season: Any) -> int | Literal["auto"]:
    if season == "auto":
        return "auto"
    if isinstance(season, bool) or not isinstance(season, Integral) or season < 1:
        raise ValueError(
            "The 'season' of the task 'forecast' must be 'auto' or a positive number of time steps. Got "
            f"{season!r} instead."
        )
    return int(season)


def _refuse_many_series(frame: pd.DataFrame, roles: Roles, name: str) -> None:
    if roles.sequence is not None:
        raise InvalidSequencesError(
            f"Forecasting requires one row per time step; {name!r} cannot have a column of sequences."
        )
    if roles.id is not None and frame[roles.id].nunique(dropna=False) > 1:
        raise InvalidSequencesError(
            f"Forecasting requires a single series, but {roles.id!r} of {name!r} has "
            f"{frame[roles.id].nunique(dropna=False)} ids: keep the rows of one, make each a column with "
            "frame.pivot, or outside a recipe fit a Forecaster to a frame with ids and times as its index."
        )
    if frame.empty:
        raise InvalidSequencesError(f"{name!r} has no rows.")
