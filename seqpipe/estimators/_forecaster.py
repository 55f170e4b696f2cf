"""`Forecaster`: forecasts of time series."""

from __future__ import annotations

from copy import copy
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._input import check_rows, check_series, check_targets, read_X
from seqpipe.estimators._listeners import CallbackSupportMixin, FitListeners, listened_fit, with_callbacks
from seqpipe.estimators._regressor import SequenceRegressor
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Windows, familiar
from seqpipe.transformers import make_windows

__all__ = ["Forecaster"]


class Forecaster(CallbackSupportMixin, MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Forecast one or several time series from their last window, with a regressor of sequences.

    X may be either of:

    - without y, the series to forecast: an array, DataFrame or pandas Series of shape (n_timesteps,) or
      (n_timesteps, n_features), with one series per column;
    - with y, exogenous variables of shape (n_timesteps, n_features), which must also be known for the time steps to
      forecast. y is then the series, of shape (n_timesteps,) or (n_timesteps, n_outputs).

    Rows are in order of time. The index of pandas objects, of times or of row numbers, must be increasing.

    Parameters
    ----------
    estimator : regressor, optional
        Regressor of sequences, which is fitted to windows of the series; `SequenceRegressor()` by default.
    window : int, default=24
        Length of the window from which forecasts are made, in time steps.
    horizon : int, default=1
        Default number of time steps to forecast; with ``strategy="direct"``, also the number of time steps that the
        estimator predicts at once.
    strategy : {"direct", "recursive"}, default="direct"
        With "direct", the estimator predicts all ``horizon`` steps at once; with "recursive", it predicts one step, and
        forecasts are fed back as inputs. With either, forecasts are fed back for longer horizons.
    difference : bool, default=False
        Whether to model the differences between consecutive steps, for series with a trend or a changing level.

    Attributes
    ----------
    estimator_ : regressor
        The fitted regressor.
    n_features_in_ : int
        Number of columns of X.

    See Also
    --------
    WindowedRegressor : Predict a target at each row from the window that ends there.
    SequenceRegressor : The default estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import Forecaster, SequenceRegressor
    >>> wave = np.sin(np.arange(200) / 4)
    >>> model = Forecaster(SequenceRegressor(hidden_size=16, random_state=0), window=25, horizon=10)
    >>> forecast = model.fit(wave[:180]).predict(20)
    >>> bool(np.abs(forecast - wave[180:]).mean() < 0.2)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "window": [Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 1, None, closed="left")],
        "strategy": [StrOptions({"direct", "recursive"})],
        "difference": ["boolean"],
    }

    def __init__(self, estimator=None, *, window=24, horizon=1, strategy="direct", difference=False):
        self.estimator = estimator
        self.window = window
        self.horizon = horizon
        self.strategy = strategy
        self.difference = difference

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.required = False
        return tags

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to one or several series.

        Parameters
        ----------
        X : array of shape (n_timesteps,) or (n_timesteps, n_features)
            The series to forecast or, with y, exogenous variables. Rows are in order of time.
        y : array of shape (n_timesteps,) or (n_timesteps, n_outputs), optional
            The series to forecast. If both X and y have times, they must be equal.

        Returns
        -------
        self : Forecaster
            The fitted forecaster.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, rows are not in order of time or belong to several series, or the
            series is shorter than window and horizon.
        """
        with listened_fit(self, X, y) as listeners:
            self._fit(X, y, listeners)
        return self

    def _fit(self, X: Any, y: Any, listeners: FitListeners) -> None:
        self._validate_params()
        series, exogenous = self._check_series(X, y)
        self._last = series[-1]
        series, exogenous = self._changes(series, exogenous)
        windows, targets = self._windows(series, exogenous)
        self.estimator_ = clone(SequenceRegressor() if self.estimator is None else self.estimator)
        with listeners.inner(self.estimator_):
            self.estimator_.fit(windows, targets)
        self._series, self._exogenous = series[-self.window :], exogenous[-self.window :]

    def inner_samples(self, X: Any, y: Any = None) -> tuple[Any, Any]:
        """Return the windows and targets to which ``estimator_`` is fitted.

        Parameters
        ----------
        X, y
            As in `fit`.

        Returns
        -------
        X_inner, y_inner
            Arguments of ``estimator_.fit``.
        """
        check_is_fitted(self)
        series, exogenous = copy(self)._check_series(X, y)  # a copy, since validation sets attributes
        return self._windows(*self._changes(series, exogenous))

    def _changes(
        self, series: NDArray[np.float64], exogenous: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the series, differenced if ``difference``, and the exogenous variables aligned with it."""
        return (np.diff(series, axis=0), exogenous[1:]) if self.difference else (series, exogenous)

    def _windows(
        self, series: NDArray[np.float64], exogenous: NDArray[np.float64]
    ) -> tuple[Windows, NDArray[np.float64]]:
        """Return the windows of the modelled series, and targets of shape (n_windows, steps * n_outputs)."""
        self._check_long_enough(series)
        steps = self.horizon if self.strategy == "direct" else 1
        table = _with_leads(series, exogenous, steps)
        windows, targets, _ = make_windows(table, series, window=self.window, horizon=steps)
        return windows, targets.reshape(len(windows), -1)

    def _check_series(self, X: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the series (n_timesteps, n_outputs) and exogenous variables (n_timesteps, n_features or 0)."""
        self._has_exogenous = y is not None
        X, y = read_X(X), None if y is None else familiar(y, "y")
        check_series(X, y, owner="Forecaster")
        flat = y is None and np.asarray(X).ndim == 1
        X = check_rows(self, np.asarray(X)[:, None] if flat else X, reset=True).astype(np.float64)
        if y is None:
            self._shape = () if flat else X.shape[1:]
            return X, np.empty((len(X), 0))
        y = check_targets(self, y, len(X))
        self._shape = y.shape[1:]
        return y.reshape(len(y), -1), X

    def _check_long_enough(self, series: NDArray[np.float64]) -> None:
        steps = self.horizon if self.strategy == "direct" else 1
        need = self.window + steps
        if len(series) < need:
            raise InvalidSequencesError(
                f"A series of n_samples={len(series) + self.difference} time steps is too short for window={self.window} "
                f"and {steps} steps ahead{' after differencing' if self.difference else ''}: at least "
                f"{need + self.difference} are required. Pass a longer series, or lower window or horizon."
            )

    def predict(self, X: Any = None) -> NDArray[np.float64]:
        """Forecast the time steps that follow the training data.

        Parameters
        ----------
        X : int, or array of shape (n, n_features), optional
            Number of time steps, by default ``horizon``; or the exogenous variables of these time steps, which are
            assumed to follow the training data, and whose index is ignored. Without exogenous variables, only the
            length of an array is used.

        Returns
        -------
        forecast : array of shape (n,) or (n, n_outputs)
            Forecast of the series.

        Raises
        ------
        ValueError
            If exogenous variables are required but missing.
        """
        check_is_fitted(self)
        n, future = self._check_future(X)
        forecast = self._roll(self._series, np.concatenate([self._exogenous, future]), n)
        if self.difference:
            forecast = self._last + np.cumsum(forecast, axis=0)
        return forecast.reshape(n, *self._shape)

    def backtest(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Forecast ``horizon`` steps from every origin in a series that follows the training data, without refitting.

        Parameters
        ----------
        X : array of shape (n_timesteps,) or (n_timesteps, n_features)
            The time steps that follow the training data: the series or, with y, exogenous variables.
        y : array of shape (n_timesteps,) or (n_timesteps, n_outputs), optional
            The series, if ``fit`` was called with y.

        Returns
        -------
        forecasts : array of shape (n_origins, horizon) or (n_origins, horizon, n_outputs)
            Forecasts from n_origins = n_timesteps - horizon + 1 origins; the i-th is made from the training data and
            the first i time steps of X.

        Raises
        ------
        ValueError
            If X or y is invalid, does not match the training data, or is shorter than the horizon.
        """
        check_is_fitted(self)
        levels, exogenous = self._check_what_followed(X, y)
        known, before = len(self._series), np.concatenate([self._last[None], levels])
        series = np.concatenate([self._series, np.diff(before, axis=0) if self.difference else levels])
        exogenous = np.concatenate([self._exogenous, exogenous])
        ends = range(known, len(series) - self.horizon + 1)
        forecasts = np.stack([self._roll(series[:k], exogenous[: k + self.horizon], self.horizon) for k in ends])
        if self.difference:
            forecasts = before[: len(forecasts), None] + np.cumsum(forecasts, axis=1)
        return forecasts.reshape(len(forecasts), self.horizon, *self._shape)

    def _check_what_followed(self, X: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the series (n_timesteps, n_outputs) and exogenous variables that follow the training data."""
        series, exogenous = copy(self)._check_series(X, y)  # a copy, since validation sets attributes
        if (series.shape[1], exogenous.shape[1]) != (self._series.shape[1], self._exogenous.shape[1]):
            raise ValueError(
                f"This Forecaster was fitted with {self._series.shape[1]} series and {self._exogenous.shape[1]} "
                f"exogenous columns. Got {series.shape[1]} and {exogenous.shape[1]} instead: pass X and y as in fit."
            )
        if len(series) < self.horizon:
            raise InvalidSequencesError(
                f"backtest requires at least horizon={self.horizon} time steps. Got {len(series)} instead."
            )
        return series, exogenous

    def _roll(self, series: NDArray[np.float64], exogenous: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        """Return the ``n`` steps after the modelled series, shape (n, n_outputs)."""
        known = len(series)
        while len(series) < known + n:
            series = np.concatenate([series, self._next(series, exogenous)])
        return series[known : known + n]

    def _next(self, series: NDArray[np.float64], exogenous: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the steps of one prediction, shape (steps, n_outputs)."""
        steps = self.horizon if self.strategy == "direct" else 1
        table = _with_leads(series, exogenous, steps)[-self.window :]
        return np.asarray(self.estimator_.predict(table[None])).reshape(steps, series.shape[1])

    def _check_future(self, X: Any) -> tuple[int, NDArray[np.float64]]:
        if X is None or isinstance(X, Integral):
            n = self.horizon if X is None else int(X)
            if self._has_exogenous:
                raise ValueError(
                    f"This Forecaster was fitted with {self.n_features_in_} exogenous columns. Pass them for the time "
                    f"steps to forecast, as X of shape ({n}, {self.n_features_in_})."
                )
            if n < 1:
                raise ValueError(f"The number of time steps to forecast must be >= 1. Got {n} instead.")
            return n, np.empty((n, 0))
        X = read_X(X)
        flat = not self._has_exogenous and np.asarray(X).ndim == 1
        check_series(X, owner="Forecaster")
        X = check_rows(self, np.asarray(X)[:, None] if flat else X, reset=False).astype(np.float64)
        if self._has_exogenous and self.strategy == "direct" and len(X) % self.horizon:
            raise ValueError(
                f"With strategy='direct' and exogenous columns, X must have a multiple of horizon={self.horizon} rows, "
                f"since that many steps are forecast at once. Got {len(X)} instead."
            )
        return len(X), X if self._has_exogenous else np.empty((len(X), 0))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return R² of the forecast for the time steps that follow the training data.

        Parameters
        ----------
        X, y : arrays
            As in `fit`; without y, X is the series of these time steps.
        sample_weight : array of shape (n_timesteps,), optional
            Weight of each time step.

        Returns
        -------
        score : float
        """
        return float(r2_score(X if y is None else y, self.predict(X), sample_weight=sample_weight))


def _with_leads(series: NDArray[np.float64], exogenous: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Concatenate to each row of the series the exogenous variables of the next ``steps`` time steps."""
    if not exogenous.shape[1]:
        return series
    rows = np.arange(len(series))[:, None] + np.arange(1, steps + 1)
    leads = exogenous[np.minimum(rows, len(exogenous) - 1)]
    return np.concatenate([series, leads.reshape(len(series), -1)], axis=1)
