"""`Forecaster`: the time steps after the end of a series."""

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
    """Forecast a series, or several together, from their last window.

    Parameters
    ----------
    estimator : regressor of sequences, optional
        What predicts from a window; `SequenceRegressor()` by default.
    window : int, default=24
        Past the model sees, in time steps.
    horizon : int, default=1
        Steps that ``predict()`` gives, and that "direct" learns at once, in time steps.
    strategy : {"direct", "recursive"}, default="direct"
        "direct" learns all ``horizon`` steps as one target; "recursive" learns one step and is fed its own forecasts.
        Beyond what was learned at once, forecasts are fed back in either case.
    difference : bool, default=False
        Whether to model the steps' changes and add them up, for series whose level drifts.

    Attributes
    ----------
    estimator_ : regressor
        The fitted one.
    n_features_in_ : int
        Columns of X.

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
        """Fit to a series.

        Parameters
        ----------
        X : array of shape (n_timesteps,) or (n_timesteps, n_features)
            Without y the series themselves, each column to be forecast; with y the exogenous columns, which must also
            be known for the time to be forecast. Rows are in order of time: the index of a pandas object, times with or
            without a zone or row numbers, must rise.
        y : array of shape (n_timesteps,) or (n_timesteps, n_outputs), optional
            The series to forecast; if X and y both have times, at the same instants.

        Returns
        -------
        self : Forecaster

        Raises
        ------
        ValueError
            If a parameter or the data is unfit, rows are not in order or of several series, or the series is shorter than
            window and horizon.
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
        """Return the data that ``estimator_`` is fitted to: windows, and their targets.

        Parameters
        ----------
        X, y
            As in `fit`; y may be left out.

        Returns
        -------
        X_inner, y_inner
            As ``estimator_.fit`` takes them.
        """
        check_is_fitted(self)
        series, exogenous = copy(self)._check_series(X, y)  # which learns the shapes of what it checks
        return self._windows(*self._changes(series, exogenous))

    def _changes(
        self, series: NDArray[np.float64], exogenous: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the series as it is modelled, and the exogenous columns beside it."""
        return (np.diff(series, axis=0), exogenous[1:]) if self.difference else (series, exogenous)

    def _windows(
        self, series: NDArray[np.float64], exogenous: NDArray[np.float64]
    ) -> tuple[Windows, NDArray[np.float64]]:
        """Return each window of the modelled series and, flat, the steps after it, shape (n_windows, steps * n_outputs)."""
        self._check_long_enough(series)
        steps = self.horizon if self.strategy == "direct" else 1
        table = _with_leads(series, exogenous, steps)
        windows, targets, _ = make_windows(table, series, window=self.window, horizon=steps)
        return windows, targets.reshape(len(windows), -1)

    def _check_series(self, X: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the series (n_timesteps, n_outputs) and the exogenous columns (n_timesteps, n_features or 0)."""
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
                f"and {steps} steps ahead{' after differencing' if self.difference else ''}: it needs at least "
                f"{need + self.difference}. Give a longer series, or lower window or horizon."
            )

    def predict(self, X: Any = None) -> NDArray[np.float64]:
        """Return the forecast for the time steps right after the training data.

        Parameters
        ----------
        X : int, or array of shape (n, n_features), optional
            How many steps, or the exogenous columns of these steps, which are taken to follow the training data
            whatever their dates; ``horizon`` steps by default. Where there are no
            exogenous columns, an array tells only the number of steps.

        Returns
        -------
        forecast : array of shape (n,) or (n, n_outputs)

        Raises
        ------
        ValueError
            If exogenous columns are needed and missing.
        """
        check_is_fitted(self)
        n, future = self._check_future(X)
        forecast = self._roll(self._series, np.concatenate([self._exogenous, future]), n)
        if self.difference:
            forecast = self._last + np.cumsum(forecast, axis=0)
        return forecast.reshape(n, *self._shape)

    def backtest(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Forecast ``horizon`` steps from every origin in a series that follows the training data, without fitting anew.

        Parameters
        ----------
        X : array of shape (n_timesteps,) or (n_timesteps, n_features)
            The steps right after the training data: the series themselves, or with y the exogenous columns.
        y : array of shape (n_timesteps,) or (n_timesteps, n_outputs), optional
            The series, where ``fit`` was given one.

        Returns
        -------
        forecasts : array of shape (n_timesteps - horizon + 1, horizon) or (n_timesteps - horizon + 1, horizon, n_outputs)
            Row i knows the first i of these steps.

        Raises
        ------
        ValueError
            If X or y is unfit, unlike what ``fit`` was given, or shorter than the horizon.
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
        """Return the series (n_timesteps, n_outputs) and exogenous columns after those of fit."""
        series, exogenous = copy(self)._check_series(X, y)  # which learns the shapes of what it checks
        if (series.shape[1], exogenous.shape[1]) != (self._series.shape[1], self._exogenous.shape[1]):
            raise ValueError(
                f"This Forecaster was fitted to {self._series.shape[1]} series and {self._exogenous.shape[1]} exogenous "
                f"columns. Got {series.shape[1]} and {exogenous.shape[1]}: give X and y as to fit."
            )
        if len(series) < self.horizon:
            raise InvalidSequencesError(
                f"backtest needs at least one horizon of {self.horizon} time steps. Got {len(series)}."
            )
        return series, exogenous

    def _roll(self, series: NDArray[np.float64], exogenous: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        """Return the ``n`` steps after the modelled series, shape (n, n_outputs)."""
        known = len(series)
        while len(series) < known + n:
            series = np.concatenate([series, self._next(series, exogenous)])
        return series[known : known + n]

    def _next(self, series: NDArray[np.float64], exogenous: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the steps that one prediction gives, shape (steps, n_outputs)."""
        steps = self.horizon if self.strategy == "direct" else 1
        table = _with_leads(series, exogenous, steps)[-self.window :]
        return np.asarray(self.estimator_.predict(table[None])).reshape(steps, series.shape[1])

    def _check_future(self, X: Any) -> tuple[int, NDArray[np.float64]]:
        if X is None or isinstance(X, Integral):
            n = self.horizon if X is None else int(X)
            if self._has_exogenous:
                raise ValueError(
                    f"This Forecaster was fitted with {self.n_features_in_} exogenous columns: predict needs them for "
                    f"the time to come, as X of shape ({n}, {self.n_features_in_})."
                )
            if n < 1:
                raise ValueError(f"predict takes a number of time steps from 1. Got {n} instead.")
            return n, np.empty((n, 0))
        X = read_X(X)
        flat = not self._has_exogenous and np.asarray(X).ndim == 1
        check_series(X, owner="Forecaster")
        X = check_rows(self, np.asarray(X)[:, None] if flat else X, reset=False).astype(np.float64)
        if self._has_exogenous and self.strategy == "direct" and len(X) % self.horizon:
            raise ValueError(
                f"With strategy='direct' and exogenous columns, {self.horizon} steps are forecast at once, each from all "
                f"their columns: X must have a multiple of {self.horizon} rows. Got {len(X)}."
            )
        return len(X), X if self._has_exogenous else np.empty((len(X), 0))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return R² of the forecast for the steps right after the training data; without y, X holds their true values."""
        return float(r2_score(X if y is None else y, self.predict(X), sample_weight=sample_weight))


def _with_leads(series: NDArray[np.float64], exogenous: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Put beside each row of the series the exogenous rows of the next ``steps`` time steps."""
    if not exogenous.shape[1]:
        return series
    rows = np.arange(len(series))[:, None] + np.arange(1, steps + 1)
    leads = exogenous[np.minimum(rows, len(exogenous) - 1)]
    return np.concatenate([series, leads.reshape(len(series), -1)], axis=1)
