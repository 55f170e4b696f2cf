"""Ridge regression on the lags of a window, with the penalty chosen on the last windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.estimators.forecasting._changes import Changes, spread
from seqpipe.estimators.forecasting._samples import ForecastSamples
from seqpipe.saved import LONGEST, ArrayOf, Schema, Whole

__all__ = ["LinearForecast", "LinearTrial", "fit_linear"]

Array = NDArray[np.float64]

#: Penalties of the squares of the coefficients of standardised lags.
_PENALTIES = np.logspace(-3, 5, 17)
_DEFAULT_PENALTY = 1.0


@dataclass(frozen=True)
class LinearForecast:
    """A linear function of the windows.

    Attributes
    ----------
    mean, scale : array of shape (n_lags,)
        Mean and standard deviation of the lags.
    coef : array of shape (n_lags, n_steps * n_outputs)
        Coefficients of the standardised lags.
    intercept : array of shape (n_steps * n_outputs,)
        Mean of the targets.
    n_steps, n_outputs : int
        Number of time steps and of outputs of a forecast.
    """

    mean: Array
    scale: Array
    coef: Array
    intercept: Array
    n_steps: int
    n_outputs: int
    _saved: ClassVar[dict[str, Schema]] = {
        **dict.fromkeys(("mean", "scale", "intercept"), ArrayOf("f", 1)),
        "coef": ArrayOf("f", 2),
        **dict.fromkeys(("n_steps", "n_outputs"), Whole(1, LONGEST)),
    }

    def predict(self, windows: Array) -> Array:
        """Return forecasts of shape (n_windows, n_steps * n_outputs) for windows of shape (n, window, n_columns)."""
        return self.of_lags(_lags(windows, self.n_outputs, self.n_steps))

    def of_lags(self, lags: Array) -> Array:
        """Return forecasts for the lags of the windows."""
        return np.asarray((lags - self.mean) / self.scale @ self.coef + self.intercept)


@dataclass(frozen=True)
class LinearTrial:
    """A linear forecast, and how it did on the last windows.

    Attributes
    ----------
    forecast : LinearForecast
        Fitted to all windows.
    early : LinearForecast or None
        Fitted to the windows before the last ones; None if there are too few.
    error : float
        Mean squared error of ``early`` on the last windows; infinite without it.
    """

    forecast: LinearForecast
    early: LinearForecast | None
    error: float


def fit_linear(samples: ForecastSamples, changes: Changes) -> LinearTrial:
    """Fit ridge regression with the penalty that is best on the last windows.

    Windows overlap, so that leave-one-out errors would be too small: the penalty is chosen on windows after those that
    were fitted to.

    Parameters
    ----------
    samples : ForecastSamples
        Windows and targets.
    changes : Changes
        What the targets are of the series: the errors of its levels count.
    """
    lags = _lags(np.asarray(samples.windows), samples.n_outputs, samples.n_steps)
    split = samples.split()
    if split is None:
        return LinearTrial(_fits(lags, samples.targets, samples, [_DEFAULT_PENALTY])[0], None, np.inf)
    early, late = split
    path = _fits(lags[early], samples.targets[early], samples, _PENALTIES)
    residuals = [fit.of_lags(lags[late]) - samples.targets[late] for fit in path]
    errors = [float((samples.level_errors(late, each, changes) ** 2).mean()) for each in residuals]
    best = int(np.argmin(errors))
    final = _fits(lags, samples.targets, samples, [_PENALTIES[best]])[0]
    return LinearTrial(final, path[best], errors[best])


def _lags(windows: Array, n_outputs: int, n_steps: int) -> Array:
    """Return the different numbers of each window as a row: leads are repeated from row to row."""
    n_features = (windows.shape[2] - n_outputs) // n_steps
    seen = windows[:, :, : n_outputs + n_features].reshape(len(windows), -1)
    return np.concatenate([seen, windows[:, -1, n_outputs + n_features :]], axis=1)


def _fits(lags: Array, targets: Array, samples: ForecastSamples, penalties: Iterable[float]) -> list[LinearForecast]:
    """Return ridge regressions for several penalties.

    Hoerl and Kennard, 1970, doi:10.1080/00401706.1970.10488634.
    """
    mean, scale = lags.mean(axis=0), spread([lags])
    X, intercept = (lags - mean) / scale, targets.mean(axis=0)
    dual = X.shape[1] > len(X)
    values, vectors = np.linalg.eigh(X @ X.T if dual else X.T @ X)
    values, right = np.maximum(values, 0), targets - intercept
    projected = vectors.T @ (right if dual else X.T @ right)
    fits = []
    for penalty in penalties:
        solved = vectors @ (projected / (values + penalty)[:, None])
        coef = X.T @ solved if dual else solved
        fits.append(LinearForecast(mean, scale, coef, intercept, samples.n_steps, samples.n_outputs))
    return fits
