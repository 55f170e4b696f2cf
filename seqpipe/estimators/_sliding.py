"""`SlidingWindowEstimator`: the base of estimators that predict from the windows of sequences."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from seqpipe.estimators._input import check_weight, check_X
from seqpipe.estimators._listeners import CallbackSupportMixin, FitListeners, listened_fit, with_callbacks
from seqpipe.estimators._step_targets import STEP_KINDS, check_all_known, read_step_targets, step_shaped
from seqpipe.estimators._suited import suited
from seqpipe.saved import Flag, Instance, Items, Schema, TextOf, Whole, optional
from seqpipe.sequences import Sequences, Windows, is_table
from seqpipe.transformers import cut_windows

__all__ = ["SlidingWindowEstimator"]


class SlidingWindowEstimator(CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator):
    """Splits sequences into windows, fits an estimator to them, and aggregates its predictions per sequence.

    Subclasses validate the targets, and define which predictions are aggregated.
    """

    _saved: ClassVar[dict[str, Schema]] = {
        "_step_kind": TextOf(among=STEP_KINDS),
        "_step_ndim": Whole(1, 2),
        "_takes_table": Flag(),
        "element_shape_": optional(Items(Whole(1), most=10)),
        "estimator_": Instance(BaseEstimator),
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "window": [Interval(Integral, 1, None, closed="left")],
        "stride": [Interval(Integral, 1, None, closed="left")],
        "pad_value": [Interval(Real, None, None, closed="neither")],
        "aggregate": [StrOptions({"concat", "last", "mean"}), callable],
    }
    estimator: Any
    window: int
    stride: int
    pad_value: float
    aggregate: str | Callable[[NDArray[Any]], Any]
    _step_kind: str
    _step_ndim: int

    def __init__(self, estimator, *, window=8, stride=1, pad_value=0.0, aggregate="mean"):
        self.estimator = estimator
        self.window = window
        self.stride = stride
        self.pad_value = pad_value
        self.aggregate = aggregate

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # ---- defined by subclasses

    def _check_targets(self, y: Any, X: Sequences) -> NDArray[Any]:
        """Validate targets per sequence; return them in shape (n_samples,) or (n_samples, n_outputs)."""
        raise NotImplementedError

    def _read_steps(self, rows: NDArray[Any], X: Sequences) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Validate targets per time step of shape (total_steps, n_outputs); return them and a mask of known ones."""
        raise NotImplementedError

    def _learn(self, targets: NDArray[Any]) -> None:
        """Set the attributes that depend on the targets."""

    # ---- fit

    @property
    def _by_step(self) -> bool:
        """Whether there is one target per time step."""
        return self.aggregate == "concat"

    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit to the windows of sequences X and targets y.

        Parameters
        ----------
        X : sequences
            Training data, in any form that the class docstring lists.
        y : array of shape (n_samples,), or sequences
            One target per sequence, which its windows share; with ``aggregate="concat"``, one target per time step. Required.
        sample_weight : array of shape (n_samples,), optional
            Weight of each sequence, used for all of its windows.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid.
        """
        with listened_fit(self, X, y) as listeners:
            self._fit(X, y, sample_weight, listeners)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, listeners: FitListeners) -> None:
        self._check_parameters()
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        found = self._read(X, reset=True)
        targets = self._targets(y, found, reset=True)
        found, targets, weight = self._weighted(found, targets, check_weight(sample_weight, len(found)))
        self._learn(targets)
        windows = self._windows(found)
        given = {} if weight is None else {"sample_weight": weight[windows.series]}
        self.estimator_ = clone(self.estimator)
        with listeners.inner(self.estimator_):
            at_windows = self._at_windows(targets, found, windows)
            self.estimator_.fit(suited(self.estimator_, windows), at_windows, **given)

    def _check_parameters(self) -> None:
        self._validate_params()
        if self._by_step and self.stride > self.window:
            raise ValueError(
                f"The 'stride' parameter of {type(self).__name__} must be at most window={self.window} with "
                f"aggregate='concat', so that each time step is in a window. Got {self.stride!r} instead."
            )

    def _read(self, X: Any, *, reset: bool) -> Sequences:
        found = check_X(self, X, reset=reset).astype(np.float64)
        return found if isinstance(found, Sequences) else Sequences.from_padded(np.asarray(found))

    def _targets(self, y: Any, X: Sequences, *, reset: bool = False) -> NDArray[Any]:
        """Validate targets, per sequence or per time step; with ``reset``, store the form of the latter."""
        if self._by_step:
            read = read_step_targets(y, X, owner=type(self).__name__)
            if reset:
                self._step_kind, self._step_ndim = read.kind, read.ndim
            values, known = self._read_steps(read.rows, X)
            check_all_known(known, X, owner=type(self).__name__)
            return values
        if isinstance(y, Sequences) or not is_table(y):
            raise ValueError(
                f"y of {type(self).__name__} must have one target per sequence unless aggregate='concat'. Got "
                "sequences instead: set aggregate='concat' to predict at each time step."
            )
        return self._check_targets(y, X)

    def _weighted(
        self, X: Sequences, targets: NDArray[Any], weight: NDArray[np.float64] | None
    ) -> tuple[Sequences, NDArray[Any], NDArray[np.float64] | None]:
        """Remove sequences of weight 0.

        Raises
        ------
        ValueError
            If the estimator does not support weights.
        """
        if weight is None:
            return X, targets, None
        if not has_fit_parameter(self.estimator, "sample_weight"):
            raise ValueError(
                f"The 'sample_weight' of {type(self).__name__} is passed to its estimator, but "
                f"{type(self.estimator).__name__} does not support it. Omit sample_weight, or use another estimator."
            )
        kept = weight > 0
        rows = np.repeat(kept, X.lengths) if self._by_step else kept
        return X[np.flatnonzero(kept)], targets[rows], weight[kept]

    def _score_weight(self, sample_weight: Any, X: Sequences) -> NDArray[np.float64] | None:
        """Return the weight of each prediction, given that of each sequence."""
        weight = check_weight(sample_weight, len(X))
        return np.repeat(weight, X.lengths) if weight is not None and self._by_step else weight

    def _windows(self, X: Sequences) -> Windows:
        return cut_windows(
            X, window=self.window, stride=self.stride, pad_value=self.pad_value, every_step=self._by_step
        )

    def _at_windows(self, targets: NDArray[Any], X: Sequences, windows: Windows) -> NDArray[Any]:
        """Return the target of each window: that of its sequence, or those of its last ``stride`` steps."""
        if not self._by_step:
            return np.asarray(targets[windows.series])
        rows, _ = self._last_steps(X, windows)
        values = targets[rows].reshape(len(rows), -1)
        return values[:, 0] if values.shape[1] == 1 else values

    def _last_steps(self, X: Sequences, windows: Windows) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the last ``stride`` steps of each window, shape (n_windows, stride), and a mask of steps in X.

        Steps are indices among all steps of all sequences; those before the beginning of a sequence are replaced by its
        first step.
        """
        series = windows.series
        to_end = windows.offsets[series + 1] - windows.starts - windows.window
        within = (X.lengths[series] - to_end)[:, None] - self.stride + np.arange(self.stride)
        return X.offsets[series][:, None] + np.maximum(within, 0), within >= 0

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
        found = self._read(X, reset=False)
        windows = self._windows(found)
        targets = None if y is None else self._at_windows(self._targets(y, found), found, windows)
        return suited(self.estimator_, windows), targets

    # ---- predict

    def _window_predictions(self, X: Any, method: str) -> tuple[NDArray[Any], Windows, Sequences]:
        """Return the predictions of the estimator for each window of X, the windows, and X as sequences."""
        check_is_fitted(self)
        found = self._read(X, reset=False)
        windows = self._windows(found)
        return np.asarray(getattr(self.estimator_, method)(suited(self.estimator_, windows))), windows, found

    def _joined(self, predictions: NDArray[Any], windows: Windows) -> NDArray[Any]:
        """Aggregate the predictions of windows, shape (n_windows, …), per sequence."""
        counts = np.bincount(windows.series)
        ends = np.cumsum(counts)
        if self.aggregate == "last":
            return np.asarray(predictions[ends - 1])
        if self.aggregate == "mean":
            sums = np.add.reduceat(predictions, ends - counts, axis=0)
            return np.asarray(sums / counts.reshape(-1, *[1] * (predictions.ndim - 1)))
        assert callable(self.aggregate)
        found = [self.aggregate(part) for part in np.split(predictions, ends[:-1])]
        shapes = {np.shape(each) for each in found}
        if shapes != {predictions.shape[1:]}:
            raise ValueError(
                f"The 'aggregate' parameter of {type(self).__name__} must map the predictions of a sequence's windows, "
                f"of shape (n_windows, …), to shape {predictions.shape[1:]}. Got {sorted(shapes)} instead."
            )
        return np.array(found)

    def _shaped(self, values: NDArray[Any], X: Sequences) -> Any:
        """Return values of all steps, shape (total_steps, …), in the form of y in fit."""
        return step_shaped(values, X, self._step_kind)
