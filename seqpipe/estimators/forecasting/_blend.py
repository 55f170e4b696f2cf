"""The forecast of an estimator, blended with a linear one by how both did on the last windows.

The weight is that of the combination of forecasts with the least squared error (Bates and Granger, 1969,
doi:10.1057/jors.1969.103), kept between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from seqpipe.estimators.forecasting._changes import Changes
from seqpipe.estimators.forecasting._linear import LinearForecast
from seqpipe.estimators.forecasting._samples import ForecastSamples

__all__ = ["blend_weight"]

Array = NDArray[np.float64]

#: The weight where there are too few windows to compare forecasts.
_EQUAL = 0.5


def blend_weight(
    forecast_late: Callable[[NDArray[np.intp], NDArray[np.intp]], Array],
    linear: LinearForecast | None,
    samples: ForecastSamples,
    changes: Changes,
) -> float:
    """Return the weight of the estimator, from 0 to 1, the rest being that of the linear forecast.

    Parameters
    ----------
    forecast_late : callable
        Fits the estimator to the windows at some indices, and returns its forecasts for those at others.
    linear : LinearForecast or None
        The linear forecast, fitted to the windows before the last ones; None if there are too few.
    samples : ForecastSamples
        All windows.
    changes : Changes
        What the targets are of the series: the errors of its levels count.
    """
    split = samples.split()
    if split is None or linear is None:
        return _EQUAL
    early, late = split
    straight = linear.predict(np.asarray(samples.windows[late]))
    wanted = samples.level_errors(late, samples.targets[late] - straight, changes)
    offered = samples.level_errors(late, forecast_late(early, late) - straight, changes)
    power = float((offered**2).sum())
    return float(np.clip((wanted * offered).sum() / power, 0, 1)) if power > 0 else _EQUAL
