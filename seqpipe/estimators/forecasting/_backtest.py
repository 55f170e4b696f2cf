"""Forecasts from every origin in rows that have followed the training data, and their score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from seqpipe.estimators.forecasting._known import Known
from seqpipe.estimators.forecasting._observed import about
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import rows_by_series

__all__ = ["backtested", "mean_r2"]

Array = NDArray[np.float64]


def backtested(
    forecast: Callable[[Sequence[Known], Array], Sequence[Array]],
    known: Mapping[Any, Known],
    n_after: Mapping[Any, int],
    *,
    horizon: int,
) -> dict[Any, Array]:
    """Return forecasts of shape (n_origins, horizon, n_outputs) by id.

    Parameters
    ----------
    forecast : callable
        Returns the steps after each of several known series, given the exogenous variables of these steps.
    known : mapping of id to Known
        Series once rows have followed.
    n_after : mapping of id to int
        The number of these rows.
    horizon : int
        Number of time steps to forecast from each origin.

    Raises
    ------
    InvalidSequencesError
        If fewer rows than the horizon have followed in a series.
    """
    found = {}
    for id, n in n_after.items():
        with about(id):
            _check_enough(n, horizon)
        each, origins = known[id], range(n, horizon - 1, -1)
        ahead = np.stack([each.exogenous[len(each.series) - k :][:horizon] for k in origins])
        found[id] = np.stack(forecast([each.before(k) for k in origins], ahead))
    return found


def mean_r2(X: Any, truth: Any, predicted: Any, sample_weight: Any = None) -> float:
    """Return R² of the forecast of a series, the mean over series for a panel.

    Parameters
    ----------
    X : array of shape (n_timesteps, n_features)
        Rows that were forecast; those of a panel have a MultiIndex of ids and times.
    truth : array of shape (n_timesteps,) or (n_timesteps, n_outputs)
        The true values in these rows.
    predicted : array of the same shape
        The forecast, the rows of each series one after the other.
    sample_weight : array of shape (n_timesteps,), optional
        Weights of the rows.
    """
    index = getattr(X, "index", None)
    if not isinstance(index, pd.MultiIndex):
        return float(r2_score(truth, predicted, sample_weight=sample_weight))
    groups = list(rows_by_series(index).values())
    parts = np.split(np.asarray(predicted), np.cumsum([len(rows) for rows in groups])[:-1])
    weights = None if sample_weight is None else np.asarray(sample_weight)
    truth = np.asarray(truth)
    scores = [
        r2_score(truth[rows], part, sample_weight=None if weights is None else weights[rows])
        for rows, part in zip(groups, parts)
    ]
    return float(np.mean(scores))


def _check_enough(n_after: int, horizon: int) -> None:
    if n_after < horizon:
        raise InvalidSequencesError(f"backtest requires at least horizon={horizon} time steps. Got {n_after} instead.")
