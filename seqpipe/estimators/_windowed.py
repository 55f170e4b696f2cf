"""`WindowedRegressor`: regression at each row of a series, from the window that ends there."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.metrics import r2_score
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import reports_score
from seqpipe.estimators._input import check_rows, check_series, check_targets, check_weight
from seqpipe.estimators._listeners import CallbackSupportMixin, FitListeners, listened_fit, with_callbacks
from seqpipe.estimators._regressor import SequenceRegressor
from seqpipe.estimators._suited import suited
from seqpipe.saved import Instance, Schema
from seqpipe.sequences import Windows

__all__ = ["WindowedRegressor"]


class WindowedRegressor(CallbackSupportMixin, MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Predict a target at each row of a series, from a window of that row and the preceding ones.

    X is an array or DataFrame of shape (n_timesteps, n_features), with rows in order of time. y is an array of shape
    (n_timesteps,) or (n_timesteps, n_outputs).

    Parameters
    ----------
    estimator : regressor, optional
        Regressor of windows; `SequenceRegressor()` by default. For regressors that do not accept sequences, windows are
        flattened to (n_timesteps, window * n_features).
    window : int, default=8
        Length of windows, in time steps. The first row is repeated where a window begins before it.

    Attributes
    ----------
    estimator_ : regressor
        The fitted regressor.
    n_features_in_ : int
        Number of columns of X.

    See Also
    --------
    Forecaster : Forecast the time steps after the end of a series.
    SlidingWindowRegressor : Predict from the windows of many sequences.

    Notes
    -----
    There is one prediction per row of X. scikit-learn's scorers and splitters therefore work as for tables, and
    ``window`` can be tuned by a search; use a splitter for time series, such as ``TimeSeriesSplit``.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceRegressor, WindowedRegressor
    >>> X = np.random.default_rng(0).normal(size=(300, 1))
    >>> y = np.convolve(X[:, 0], [0.5, 0.3, 0.2])[:300]
    >>> model = WindowedRegressor(SequenceRegressor(hidden_size=16, random_state=0), window=4)
    >>> model.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.8
    True
    """

    _saved: ClassVar[dict[str, Schema]] = {"estimator_": Instance(BaseEstimator)}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "window": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, estimator=None, *, window=8):
        self.estimator = estimator
        self.window = window

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = get_tags(self._inner()).target_tags.multi_output
        return tags

    def _inner(self) -> Any:
        return SequenceRegressor() if self.estimator is None else self.estimator

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of fit's metadata to the estimator."""
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self._inner(), method_mapping=mapping)

    @with_callbacks
    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Self:
        """Fit to rows X in order of time and targets y.

        Parameters
        ----------
        X : array of shape (n_timesteps, n_features)
            Rows in order of time. The index of pandas objects, of times or row numbers, must be increasing.
        y : array of shape (n_timesteps,) or (n_timesteps, n_outputs)
            Targets; required.
        **fit_params
            Arguments of the estimator's `fit`, such as ``sample_weight``.

        Returns
        -------
        self : WindowedRegressor
            The fitted regressor.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid.
        """
        with listened_fit(self, X, y) as listeners:
            self._fit(X, y, fit_params, listeners)
        return self

    def _fit(self, X: Any, y: Any, fit_params: dict[str, Any], listeners: FitListeners) -> None:
        self._validate_params()
        if y is None:
            raise ValueError("This WindowedRegressor estimator requires y to be passed, but the target y is None.")
        check_series(X, y, owner="WindowedRegressor")
        windows = self._windows(X, reset=True)
        y = check_targets(self, y, len(windows))
        self.estimator_ = clone(self._inner())
        with listeners.inner(self.estimator_):
            self.estimator_.fit(suited(self.estimator_, windows), y, **self._routed(fit_params))

    def inner_samples(self, X: Any, y: Any = None) -> tuple[Any, Any]:
        """Return the windows and targets to which ``estimator_`` is fitted.

        Parameters
        ----------
        X, y
            As in `fit`; y is optional.

        Returns
        -------
        X_inner, y_inner
            Arguments of ``estimator_.fit``; y_inner is None if y is.
        """
        check_is_fitted(self)
        return suited(self.estimator_, self._windows(X, reset=False)), y

    def _routed(self, fit_params: dict[str, Any]) -> dict[str, Any]:
        from sklearn import get_config

        if not fit_params or not get_config()["enable_metadata_routing"]:
            return fit_params
        return dict(process_routing(self, "fit", **fit_params).estimator.fit)

    def _windows(self, X: Any, *, reset: bool) -> Windows:
        X = check_rows(self, X, reset=reset)
        before = np.repeat(X[:1], self.window - 1, axis=0)
        base = np.concatenate([before, X]) if self.window > 1 else X
        return Windows(base, np.arange(len(X)), self.window, horizon=0)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict the target at each row.

        Parameters
        ----------
        X : array of shape (n_timesteps, n_features)
            Rows in order of time.

        Returns
        -------
        y_pred : array of shape (n_timesteps,) or (n_timesteps, n_outputs)
        """
        check_is_fitted(self)
        check_series(X, owner="WindowedRegressor")
        windows = self._windows(X, reset=False)
        return np.asarray(self.estimator_.predict(suited(self.estimator_, windows)))

    @reports_score
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² over all rows, averaged over outputs."""
        predicted = self.predict(X)
        weight = check_weight(sample_weight, len(predicted))
        return float(r2_score(check_targets(self, y, len(predicted)), predicted, sample_weight=weight))
