"""Forecasting: predicting the continuation of one or several series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import TimeSeriesSplit

from seqpipe.estimators import Forecaster, SequenceRegressor
from seqpipe.tables import Roles, TargetType, index_after, index_by_id, index_of, rows_by_id, times_by_id
from seqpipe.tasks._forecast_pictures import forecast_pictures
from seqpipe.tasks._forecast_scores import ForecastScorer, forecast_scorer, mean_metrics, metrics_by_id
from seqpipe.tasks._forecasts import baseline_forecasts, model_forecast, season_length
from seqpipe.tasks._held_out import hold_out, with_scales
from seqpipe.tasks._learning import learning_curves
from seqpipe.tasks._panel_split import PanelSplit
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._series_by_id import in_order, series_of
from seqpipe.tasks._series_table import series_data
from seqpipe.tasks._task import Task, TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["ForecastTask"]

_INNER = "estimator"


class ForecastTask(Task):
    """Predict the steps after the end of a series, or of the series of each id, with a `Forecaster`.

    The target columns are the series. Feature columns are exogenous variables, which must be known for the forecast
    steps as well. Under ``task:`` a recipe may also set ``season``, the number of time steps of a season, for the
    window, the seasonal naive forecast and the scale of mase; by default it is inferred from the dates (12 for months),
    and is 1 if they have no known season.
    """

    target_type: ClassVar[TargetType] = "series"
    constant_baseline: ClassVar[str | None] = "last value"
    constant_metrics: ClassVar[tuple[str, ...]] = ("mae", "rmse", "mase")
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
        """Turn a table into a series, or with ids into a panel: one series per id, also of a single id.

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
            If a column or a date is missing, times do not increase, or a value is invalid; the message names the
            position.
        """
        return series_data(frame, roles, name=name, with_target=with_target)

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
        """Hold out the last rows of each series: a fraction, or a number of them.

        Raises
        ------
        InvalidSequencesError
            If the data is no series, or the time steps of the series of a panel differ.
        ValueError
            If one side of a series would be empty.
        """
        train, test = hold_out(data, test_size)
        return train, with_scales(test, train, season_length(train, self._season))

    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> TimeSeriesSplit | PanelSplit:
        """Return folds whose test steps follow their training data in each series.

        A test fold has the length of one horizon if this leaves at least half of the rows to the first training fold,
        otherwise the folds have equal lengths.
        """
        horizon = last_step(estimator).horizon
        shortest = min(len(rows) for rows in rows_by_id(data.X).values())
        fits = isinstance(horizon, int) and horizon > 1 and 2 * n_splits * horizon <= shortest
        splitter = PanelSplit if isinstance(data.X.index, pd.MultiIndex) else TimeSeriesSplit
        return splitter(n_splits, test_size=horizon if fits else None)

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return mae and rmse, mase for data returned by `split`, and the mae of each column if there are several.

        Those of a panel are means over its series.
        """
        return _scored(data, model_forecast(estimator, data))

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of the last value, the seasonal naive and the drift forecast, and of ridge on lags."""
        forecasts = baseline_forecasts(train, test, self._season)
        return {name: _scored(test, forecast) for name, forecast in forecasts.items()}

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the forecast with the truth and the baselines, the learning curves, and a fan chart if possible.

        The fan chart requires more than one horizon of held-out steps.
        """
        forecasts = {"model": model_forecast(estimator, test), **baseline_forecasts(train, test, self._season)}
        return {
            **forecast_pictures(estimator, train, test, forecasts),
            **learning_curves(estimator, last_step(estimator).estimator_.history_, test),
        }

    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return one row per forecast step: its id in a panel, its time, and each target.

        Steps without times are numbered from 1 in each series.
        """
        forecast = model_forecast(estimator, data)
        frame = pd.DataFrame(forecast, columns=_target_names(estimator, data, forecast.shape[1]))
        times = _times(data)
        frame.insert(0, str(times.name or "time"), times)
        if isinstance(data.X.index, pd.MultiIndex):
            frame.insert(0, str(data.X.index.names[0] or "id"), data.X.index.get_level_values(0))
        return frame

    def future(self, data: TaskData, n_steps: int) -> TaskData:
        """Return the steps after the end of each series of ``data`` for `predictions`, without exogenous columns.

        Dates continue at their inferred frequency and in their time zone; without a frequency, steps are counted from
        1.
        """
        ends = times_by_id(data.X)
        ahead = {id: index_after(end, n_steps) for id, end in ends.items()}
        dated = all(ahead[id].name == end.name for id, end in ends.items())
        if not dated:
            ahead = dict.fromkeys(ends, pd.RangeIndex(1, n_steps + 1, name="step"))
        roles = data.roles if dated else replace(data.roles, time=None)
        return TaskData(pd.DataFrame(index=index_by_id(ahead, roles.id)), None, data.name, roles)

    def scorer(self, name: str | None) -> ForecastScorer | None:
        """Return the scorer for r2, mae, mse, rmse or the scikit-learn names of these; None for None.

        Raises
        ------
        UnknownNameError
            If there is no such score.
        """
        return None if name is None else forecast_scorer(name)


def _times(data: TaskData) -> pd.Index[Any]:
    """Return the times of the rows, or their numbers from 1 in each series if there are no times."""
    times = index_of(data.X)
    assert times is not None
    if data.roles.time is not None or times.dtype.kind in "mM":
        return times
    numbers = {id: np.arange(1, len(rows) + 1) for id, rows in rows_by_id(data.X).items()}
    return pd.Index(in_order(data.X, np.concatenate(list(numbers.values()))), name="step")


def _scored(data: TaskData, forecast: NDArray[np.float64]) -> dict[str, float]:
    return mean_metrics(metrics_by_id(data, forecast))


def _target_names(estimator: Any, data: TaskData, n_columns: int) -> list[str]:
    series = series_of(data)
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
