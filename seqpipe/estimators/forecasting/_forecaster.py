"""`Forecaster`: forecasts of time series."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import reports_score
from seqpipe.estimators._listeners import CallbackSupportMixin, FitListeners, listened_fit, with_callbacks
from seqpipe.estimators._regressor import SequenceRegressor
from seqpipe.estimators._suited import suited
from seqpipe.estimators.forecasting._backtest import backtested, mean_r2
from seqpipe.estimators.forecasting._blend import blend_weight
from seqpipe.estimators.forecasting._changes import Changes, lags_of
from seqpipe.estimators.forecasting._choice import CANDIDATE_LAGS, best_of, check_long_enough, season_of_all, window_for
from seqpipe.estimators.forecasting._form import Form
from seqpipe.estimators.forecasting._future import followed, future_of
from seqpipe.estimators.forecasting._inner import fit_inner, has_network, new_inner, predict_inner
from seqpipe.estimators.forecasting._known import Known
from seqpipe.estimators.forecasting._linear import LinearForecast, LinearTrial, fit_linear
from seqpipe.estimators.forecasting._observed import Panel, about, read_panel
from seqpipe.estimators.forecasting._rolled import rolled
from seqpipe.estimators.forecasting._samples import ForecastSamples, forecast_samples
from seqpipe.saved import LONGEST, Flag, Instance, Items, Number, Plain, Schema, Whole, optional

__all__ = ["Forecaster"]

Array = NDArray[np.float64]


class Forecaster(CallbackSupportMixin, MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Forecast one or several time series from their last window, with a regressor of windows.

    X may be either of:

    - without y, the series to forecast: an array, DataFrame or pandas Series of shape (n_timesteps,) or
      (n_timesteps, n_features), with one series per column;
    - with y, exogenous variables of shape (n_timesteps, n_features), which must also be known for the time steps to
      forecast. y is then the series, of shape (n_timesteps,) or (n_timesteps, n_outputs).

    Rows are in order of time. The index of pandas objects, of times or of row numbers, must be increasing, and no date
    may be missing, other than holidays between business days.

    A DataFrame or Series with a MultiIndex of ids and times is a panel: one model is fitted to all of its series, which
    have the same time step, each of them scaled by itself, and forecasts are made per id.

    Parameters
    ----------
    estimator : regressor, optional
        Regressor, which is fitted to windows of the series; `SequenceRegressor()` by default. For regressors that do not
        accept sequences, such as ``Ridge()``, windows are flattened.
    window : int or "auto", default="auto"
        Length of the window from which forecasts are made, in time steps. With "auto", two seasons and at least 24 time
        steps, but at most half of the shortest series.
    horizon : int, default=1
        Default number of time steps to forecast; with ``strategy="direct"``, also the number of time steps that the
        estimator predicts at once.
    strategy : {"direct", "recursive"}, default="direct"
        With "direct", the estimator predicts all ``horizon`` steps at once; with "recursive", it predicts one step, and
        forecasts are fed back as inputs. With either, forecasts are fed back for longer horizons.
    season : int or "auto", default="auto"
        Number of time steps of a season. With "auto", that of the dates (12 for months, 7 for days), else 1.
    transformation : {"log"} or None, default=None
        With "log", the logarithm of the series is modelled: for positive series that vary the more, the higher they are.
    difference : "auto", bool, int or list of int, default="auto"
        Lags of the differences that are modelled, in time steps, one after the other: ``True`` or 1 for changes from
        step to step, for series with a trend or a changing level; 12 for changes from year to year of months;
        ``[1, 12]`` for both. With "auto", 1 or none, whichever gives a linear forecast the smaller squared error on the
        last fifth of the windows.
    blend : "auto" or bool, default="auto"
        Whether forecasts are a weighted mean of those of the estimator and of ridge regression on the same windows.
        The weight is the one with the smallest squared error on the last fifth of the windows, from a first fit to the
        others. With "auto", forecasts of networks are blended.

    Attributes
    ----------
    estimator_ : regressor
        The fitted regressor.
    window_ : int
        Length of the window, in time steps.
    season_ : int
        Number of time steps of a season.
    difference_ : tuple of int
        Lags of the differences.
    blend_weight_ : float
        Weight of the estimator's forecast, from 0 to 1; 1 without a blend.
    n_features_in_ : int
        Number of columns of X.
    last_times_ : dict of id to Index
        The last times of each series, at most ten; a single series has the id None.

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

    _saved: ClassVar[dict[str, Schema]] = {
        "_changes": Instance(Changes),
        "_ends": Items(Instance(Known)),
        "_form": Instance(Form),
        "_has_exogenous": Flag(),
        "_ids": Items(Plain()),
        "_linear": optional(Instance(LinearForecast)),
        "blend_weight_": Number(0, 1),
        "difference_": Items(Whole(1, LONGEST), most=100),
        "estimator_": Instance(BaseEstimator),
        "season_": Whole(1, LONGEST),
        "window_": Whole(1, LONGEST),
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "window": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "horizon": [Interval(Integral, 1, None, closed="left")],
        "strategy": [StrOptions({"direct", "recursive"})],
        "season": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "transformation": [StrOptions({"log"}), None],
        "difference": ["boolean", Interval(Integral, 1, None, closed="left"), list, tuple, StrOptions({"auto"})],
        "blend": ["boolean", StrOptions({"auto"})],
    }

    def __init__(
        self,
        estimator=None,
        *,
        window="auto",
        horizon=1,
        strategy="direct",
        season="auto",
        transformation=None,
        difference="auto",
        blend="auto",
    ):
        self.estimator = estimator
        self.window = window
        self.horizon = horizon
        self.strategy = strategy
        self.season = season
        self.transformation = transformation
        self.difference = difference
        self.blend = blend

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.required = False
        return tags

    # ---- fit

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
            If a parameter or the data is invalid, rows are not in order of time, a date is missing, the time steps of
            series differ, or a series is shorter than window and horizon.
        """
        with listened_fit(self, X, y) as listeners:
            self._fit(X, y, listeners)
        return self

    def _fit(self, X: Any, y: Any, listeners: FitListeners) -> None:
        self._validate_params()
        candidates = self._candidates()
        panel, self._form = read_panel(self, X, y, reset=True)
        self._has_exogenous = y is not None
        self.season_ = season_of_all(panel.values(), self.season)
        self.window_ = self._window_for(panel, candidates)
        samples, trial = self._choose(panel, candidates)
        self._linear: LinearForecast | None = None
        self.blend_weight_ = 1.0
        if self._blends():
            assert trial is not None
            self._linear = trial.forecast
            self.blend_weight_ = blend_weight(self._late_forecasts(samples), trial.early, samples, self._changes)
        self.estimator_ = new_inner(self._inner(), samples.targets.shape[1])
        with listeners.inner(self.estimator_):
            fit_inner(self.estimator_, samples.windows, samples.targets)
        n_kept = self.window_ + self._n_steps + self._changes.n_lost
        self._ids = list(panel)
        self._ends = [Known.of(each, self._changes).last(n_kept) for each in panel.values()]

    @property
    def last_times_(self) -> dict[Any, pd.Index]:
        """The last times of each series by its id."""
        return {id: each.times.index for id, each in self._known.items()}

    @property
    def _known(self) -> dict[Any, Known]:
        """What is known of each series by its id, at the end of the training data."""
        return dict(zip(self._ids, self._ends))

    def _inner(self) -> Any:
        return SequenceRegressor() if self.estimator is None else self.estimator

    def _blends(self) -> bool:
        return has_network(self._inner()) if self.blend == "auto" else bool(self.blend)

    @property
    def _n_steps(self) -> int:
        """Number of time steps that the estimator predicts at once."""
        return self.horizon if self.strategy == "direct" else 1

    def _candidates(self) -> list[Changes]:
        lags = CANDIDATE_LAGS if self._is_auto else [lags_of(self.difference)]
        return [Changes(self.transformation, each) for each in lags]

    @property
    def _is_auto(self) -> bool:
        return isinstance(self.difference, str)

    def _window_for(self, panel: Panel, candidates: Sequence[Changes]) -> int:
        if self.window != "auto":
            return int(self.window)
        n_lost = max(changes.n_lost for changes in candidates)
        lengths = [len(each.series) - n_lost for each in panel.values()]
        return window_for(lengths, season=self.season_, n_steps=self._n_steps)

    def _choose(self, panel: Panel, candidates: Sequence[Changes]) -> tuple[ForecastSamples, LinearTrial | None]:
        """Set the differences; return the samples, and the linear forecast if one is needed."""
        needs_trial = self._blends() or len(candidates) > 1
        tried: list[tuple[Changes, ForecastSamples, LinearTrial | None]] = []
        for changes in candidates:
            if tried and not self._is_long_enough(panel, changes):
                continue
            samples = self._samples(panel, changes)
            tried.append((changes, samples, fit_linear(samples, changes) if needs_trial else None))
        best = tried[best_of([trial.error for *_, trial in tried if trial is not None])]
        self._changes, self.difference_ = best[0], best[0].lags
        return best[1], best[2]

    def _samples(self, panel: Panel, changes: Changes) -> ForecastSamples:
        for id, each in panel.items():
            with about(id):
                check_long_enough(each, changes, window=self.window_, n_steps=self._n_steps)
                changes.check(each.series)
        known = [Known.of(each, changes) for each in panel.values()]
        return forecast_samples(known, changes, window=self.window_, n_steps=self._n_steps)

    def _late_forecasts(self, samples: ForecastSamples) -> Any:
        def forecasts(early: NDArray[np.intp], late: NDArray[np.intp]) -> Array:
            fresh = new_inner(self._inner(), samples.targets.shape[1])
            fit_inner(fresh, samples.windows[early], samples.targets[early])
            return predict_inner(fresh, samples.windows[late])

        return forecasts

    def _is_long_enough(self, panel: Panel, changes: Changes) -> bool:
        need = self.window_ + self._n_steps + changes.n_lost
        return min(len(each.series) for each in panel.values()) >= need

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
        samples = self._samples(read_panel(self, X, y, reset=False)[0], self._changes)
        return suited(self.estimator_, samples.windows), samples.targets

    # ---- predict

    def predict(self, X: Any = None, *, history: Any = None) -> Any:
        """Forecast the time steps that follow the training data, or the rows that have followed since.

        Parameters
        ----------
        X : int, or array of shape (n, n_features), optional
            Number of time steps, by default ``horizon``; or the exogenous variables of these time steps. Without
            exogenous variables, only the length of an array is used. A DataFrame may then have no
            columns. If it has dates, they must directly follow the known rows; row numbers are ignored.
        history : array of shape (n_timesteps,) or (n_timesteps, n_features), or a pair (X, y), optional
            Rows of the series that directly follow the training data; a pair if ``fit`` was called with y. Forecasts
            then begin after them, and are made from the window that ends there.

        Returns
        -------
        forecast : array of shape (n,) or (n, n_outputs), Series or DataFrame
            Forecast of the series: a pandas object with its names and the continued index if the forecaster was fitted
            to one. For a panel the forecasts of all series, or of those in X, one after the other.

        Raises
        ------
        ValueError
            If exogenous variables are required but missing, or rows do not follow the known ones.
        """
        check_is_fitted(self)
        known = self._known if history is None else self._then(history)
        future = future_of(self, X, known, horizon=self.horizon, has_exogenous=self._has_exogenous)
        forecasts = {id: self._forecast([known[id]], each.exogenous[None])[0] for id, each in future.items()}
        return self._form.returned(forecasts, {id: each.index for id, each in future.items()})

    def _then(self, history: Any) -> dict[Any, Known]:
        n_outputs = self._ends[0].series.shape[1]
        return followed(self, self._known, history, n_outputs=n_outputs, has_exogenous=self._has_exogenous)

    def _forecast(self, known: Sequence[Known], ahead: Array) -> list[Array]:
        """Return the levels of the steps after each known series, shape (n_steps, n_outputs).

        ``ahead`` holds the exogenous variables of these steps, shape (n, n_steps, n_features).
        """
        n_tail = min(self.window_ + self._n_steps - 1, *(len(each.series) - self._changes.n_lost for each in known))
        tails = [tuple(part[-n_tail:] for part in each.modelled(self._changes)) for each in known]
        exogenous = np.concatenate([np.stack([tail[1] for tail in tails]), ahead], axis=1)
        series = np.stack([tail[0] for tail in tails])
        forecasts = rolled(
            self._predict_windows, series, exogenous, ahead.shape[1], window=self.window_, n_at_once=self._n_steps
        )
        return [each.levels(forecast, self._changes) for each, forecast in zip(known, forecasts)]

    def _predict_windows(self, windows: Array) -> Array:
        """Return the blended predictions for windows of shape (n, window, n_columns)."""
        found = predict_inner(self.estimator_, windows)
        if self._linear is None:
            return found
        return self.blend_weight_ * found + (1 - self.blend_weight_) * self._linear.predict(windows)

    def backtest(self, X: Any, y: Any = None) -> Any:
        """Forecast ``horizon`` steps from every origin in a series that follows the training data, without refitting.

        Parameters
        ----------
        X : array of shape (n_timesteps,) or (n_timesteps, n_features)
            The time steps that follow the training data: the series or, with y, exogenous variables.
        y : array of shape (n_timesteps,) or (n_timesteps, n_outputs), optional
            The series, if ``fit`` was called with y.

        Returns
        -------
        forecasts : array of shape (n_origins, horizon) or (n_origins, horizon, n_outputs), or dict of id to such an array
            Forecasts from n_origins = n_timesteps - horizon + 1 origins; the i-th is made from the training data and
            the first i time steps of X. For a panel, those of each of the series in X by its id.

        Raises
        ------
        ValueError
            If X or y is invalid, does not match or follow the training data, or a series in it is shorter than the
            horizon.
        """
        check_is_fitted(self)
        known = self._then((X, y) if self._has_exogenous or y is not None else X)
        n_after = {id: len(known[id].series) - len(end.series) for id, end in self._known.items()}
        is_panel = self._form.ids is not None
        asked = {id: n for id, n in n_after.items() if n or not is_panel}
        forecasts = {
            id: each.reshape(len(each), self.horizon, *self._form.shape)
            for id, each in backtested(self._forecast, known, asked, horizon=self.horizon).items()
        }
        return forecasts if is_panel else forecasts[None]

    @reports_score
    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return R² of the forecast for the time steps that follow the training data, for a panel the mean over series.

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
        return mean_r2(X, X if y is None else y, self.predict(X), sample_weight)
