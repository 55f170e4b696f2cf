"""`WindowedRegressor`: one prediction for every time step, from the window that ends there."""

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

from seqpipe.estimators._input import check_rows, check_series, check_targets, check_weight
from seqpipe.estimators._listeners import CallbackSupportMixin, FitListeners, listened_fit, with_callbacks
from seqpipe.estimators._regressor import SequenceRegressor
from seqpipe.estimators._suited import suited
from seqpipe.sequences import Windows

__all__ = ["WindowedRegressor"]


class WindowedRegressor(CallbackSupportMixin, MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Predict a target at every row of a table in time order, from that row and the ones before.

    The number of samples stays what it is, so that scikit-learn scores and splits as usual and ``window`` can be
    searched; use a splitter that respects time.

    Parameters
    ----------
    estimator : regressor, optional
        What predicts from a window; `SequenceRegressor()` by default. One that takes no sequences gets the windows
        flattened.
    window : int, default=8
        Rows that a prediction sees, in time steps, its own the last. Before the first row, the first row is repeated.

    Attributes
    ----------
    estimator_ : regressor
        The fitted one.
    n_features_in_ : int
        Columns of X.

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
        """Return how fit's metadata reach the estimator inside."""
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self._inner(), method_mapping=mapping)

    @with_callbacks
    def fit(self, X: Any, y: Any, **fit_params: Any) -> Self:
        """Fit to rows X in time order and targets y.

        Parameters
        ----------
        X : array of shape (n_timesteps, n_features)
            Rows in time order: the index of a pandas object, times or row numbers, must rise.
        y : array of shape (n_timesteps,) or (n_timesteps, n_outputs)
            Targets.
        **fit_params
            Passed to the estimator's fit, such as ``sample_weight``.

        Returns
        -------
        self : WindowedRegressor

        Raises
        ------
        ValueError
            If a parameter or the data is unfit.
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
        """Return one prediction a row of X (n_timesteps, n_features), shaped as y was."""
        check_is_fitted(self)
        check_series(X, owner="WindowedRegressor")
        windows = self._windows(X, reset=False)
        return np.asarray(self.estimator_.predict(suited(self.estimator_, windows)))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² over all rows, the mean over outputs where there are several."""
        predicted = self.predict(X)
        weight = check_weight(sample_weight, len(predicted))
        return float(r2_score(check_targets(self, y, len(predicted)), predicted, sample_weight=weight))
