"""Ridge regression on the lags of a series, used as a baseline."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from seqpipe.estimators import Forecaster
from seqpipe.exceptions import InvalidSequencesError

__all__ = ["RIDGE", "lag_forecast"]

#: Name of the baseline.
RIDGE = "ridge on lags"

_PENALTIES = np.logspace(-3, 3, 13)
#: Number of steps predicted at once, at most, if a season is shorter.
_AT_ONCE = 24


def lag_forecast(
    X: Any, y: Any, ahead: Any, *, n_steps: int, season: int | Literal["auto"]
) -> NDArray[np.float64] | None:
    """Return the forecast of cross-validated ridge regression on two seasons, shape (n_steps, n_columns).

    Parameters
    ----------
    X, y : DataFrame of shape (n_timesteps, n_columns), or None for y
        As `Forecaster.fit` takes them.
    ahead : DataFrame of shape (n_steps, n_features), or int
        As `Forecaster.predict` takes it.
    n_steps : int
        Number of time steps to forecast.
    season : int or "auto"
        Number of time steps of a season.

    Returns
    -------
    forecast : array or None
        None if the series is too short.
    """
    at_once = min(n_steps, _AT_ONCE if season == "auto" else max(season, _AT_ONCE))
    model = Forecaster(RidgeCV(_PENALTIES), horizon=at_once, season=season, difference=False)
    try:
        model.fit(X, y)
    except InvalidSequencesError:  # every other reason has stopped the fit of the model itself
        return None
    return np.asarray(model.predict(ahead), dtype=np.float64)
