"""The pictures of forecasts; of a panel, those of some of its series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.diagnostics import plot_forecast, plot_forecast_fan
from seqpipe.tables import rows_by_id
from seqpipe.tasks._forecast_scores import metrics_by_id
from seqpipe.tasks._forecasts import transformed
from seqpipe.tasks._parameters import last_step
from seqpipe.tasks._series_by_id import series_of
from seqpipe.tasks._task import TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["forecast_pictures"]

#: Most series, and most panels, of a picture of a panel.
_MOST_SERIES, _MOST_PANELS = 4, 12


def forecast_pictures(
    estimator: Any, train: TaskData, test: TaskData, forecasts: dict[str, NDArray[np.float64]]
) -> dict[str, Figure]:
    """Return the forecasts beside the truth, and a fan chart if more than one horizon is held out.

    Of a panel, the pictures show the series with the worst and the best score of the first forecast, and others evenly
    spaced in between.

    Parameters
    ----------
    estimator : estimator
        The fitted model.
    train, test : TaskData
        Its training data, and the rows that were forecast.
    forecasts : dict of str to array of shape (n_rows, n_columns)
        Forecasts of the rows of ``test`` by name, that of the model first.
    """
    titles = _titles(test, next(iter(forecasts.values())))
    shown = list(titles)
    rows = _rows_of(test.X, shown)
    before = series_of(train.at(_rows_of(train.X, shown)))
    after = test.at(rows)
    drawn = {name: forecast[rows] for name, forecast in forecasts.items()}
    figure = plot_forecast(_titled(before, titles), _titled(series_of(after), titles), drawn)
    return {"forecast": figure, **_fan(estimator, train, test, titles)}


def _titles(test: TaskData, forecast: NDArray[np.float64]) -> dict[Any, str]:
    """Return the ids of the series to show, from the worst to the best, with their titles."""
    scores = metrics_by_id(test, forecast)
    measure = "mase" if all(np.isfinite(each.get("mase", np.nan)) for each in scores.values()) else "mae"
    ranked = sorted(scores, key=lambda id: scores[id][measure], reverse=True)
    n_shown = min(len(ranked), _MOST_SERIES, max(_MOST_PANELS // series_of(test).shape[1], 2))
    shown = [ranked[i] for i in np.linspace(0, len(ranked) - 1, n_shown).round().astype(int)]
    ends = {shown[0]: "worst ", shown[-1]: "best "} if len(shown) > 1 else {}
    return {id: f"{ends.get(id, '')}{measure} {scores[id][measure]:.3g}: {id}" for id in shown}


def _rows_of(X: pd.DataFrame, ids: list[Any]) -> NDArray[np.intp]:
    rows = rows_by_id(X)
    return np.concatenate([rows[id] for id in ids])


def _titled(frame: pd.DataFrame, titles: dict[Any, str]) -> pd.DataFrame:
    return frame.rename(titles, level=0) if isinstance(frame.index, pd.MultiIndex) else frame


def _fan(estimator: Any, train: TaskData, test: TaskData, titles: dict[Any, str]) -> dict[str, Figure]:
    """Return the fan chart of forecasts from every origin in the held-out steps, of the series that exceed one horizon."""
    forecaster = last_step(estimator)
    long = [id for id, rows in rows_by_id(test.X).items() if id in titles and len(rows) > forecaster.horizon]
    if not long:
        return {}
    shown = [id for id in titles if id in long]
    before, after = train.at(_rows_of(train.X, shown)), test.at(_rows_of(test.X, shown))
    found = forecaster.backtest(transformed(estimator, after.X), after.y)
    forecasts = {titles[id]: found[id] for id in shown} if isinstance(found, dict) else found
    return {
        "forecast_fan": plot_forecast_fan(
            _titled(series_of(before), titles), _titled(series_of(after), titles), forecasts
        )
    }
