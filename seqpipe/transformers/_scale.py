"""Scaling of features, fitted to valid time steps only."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import CallbackSupportMixin
from seqpipe.saved import Instance, Schema
from seqpipe.sequences import Sequences
from seqpipe.transformers._input import SequenceInput
from seqpipe.transformers._no_data_frame import check_output_config
from seqpipe.transformers._parameters import check_choice
from seqpipe.transformers._steps import map_steps, valid_steps

__all__ = ["SequenceScaler"]

_SCALERS = {"minmax": MinMaxScaler, "robust": RobustScaler, "standard": StandardScaler}


class SequenceScaler(CallbackSupportMixin, SequenceInput, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale every feature with one of scikit-learn's scalers, fitted to all valid time steps.

    Sequences are returned as the same kind: `Sequences` keep ids and names, `Windows` share one scaled
    series, and lists become `Sequences`. For windows, the scaler is fitted only to the rows that they cover, so that
    no test data leaks into a fold. A table of shape (n_samples, n_timesteps) is scaled column by
    column; only then ``set_output`` applies. A DataFrame with a MultiIndex of ids and times stays one.

    Parameters
    ----------
    method : {"standard", "minmax", "robust"}, default="standard"
        Scale to zero mean and unit variance, to the range [0, 1], or to zero median and unit interquartile range. A
        constant feature becomes 0.

    Attributes
    ----------
    scaler_ : StandardScaler, MinMaxScaler or RobustScaler
        The fitted scaler; its columns are the features.
    input_kind_ : {"table", "sequences"}
        Kind of input seen during fit.
    n_features_in_ : int
        Number of features per time step, or of columns of a table.
    feature_names_in_ : array of str, shape (n_features,)
        Names of the features; defined only if the input has feature names.

    Examples
    --------
    >>> from seqpipe.transformers import SequenceScaler
    >>> SequenceScaler("minmax").fit_transform([[1.0], [2.0, 3.0]]).values.ravel()
    array([0. , 0.5, 1. ])
    """

    _saved: ClassVar[dict[str, Schema]] = {"scaler_": Instance(BaseEstimator)}

    def __init__(self, method: Literal["standard", "minmax", "robust"] = "standard") -> None:
        self.method = method

    def fit(self, X: Any, y: Any = None) -> SequenceScaler:
        """Learn the scale of each feature from sequences X of any kind, or a table; y is ignored."""
        check_choice("SequenceScaler", "method", self.method, tuple(_SCALERS))
        checked = self._check_input(X, reset=True)
        # set_output would convert the output of transform to a DataFrame, which is impossible for sequences
        self._sklearn_auto_wrap_output_keys = {"transform"} if self.input_kind_ == "table" else set()
        scaler = _SCALERS[self.method]().set_output(transform="default")
        self.scaler_ = scaler.fit(checked if isinstance(checked, np.ndarray) else valid_steps(checked))
        return self

    def transform(self, X: Any) -> Any:
        """Scale X; an array is returned for an array, sequences for sequences."""
        return self._apply("transform", X)

    def inverse_transform(self, X: Any) -> Any:
        """Undo the scaling of X, up to rounding."""
        return self._apply("inverse_transform", X)

    def _apply(self, direction: Literal["transform", "inverse_transform"], X: Any) -> Any:
        check_is_fitted(self)
        checked = self._check_input(X, reset=False)
        scale = getattr(self.scaler_, direction)
        if isinstance(checked, np.ndarray):
            return _as_panel(scale(checked), X)
        if direction == "transform":
            check_output_config(self)
        scaled = map_steps(checked, scale)
        if isinstance(scaled, Sequences) and getattr(X, "ndim", 1) > 2:
            return scaled.values.reshape(X.shape)
        return scaled


def _as_panel(scaled: Any, X: Any) -> Any:
    """Return the scaled values with the ids and times of X, if it has them: a forecaster needs them."""
    if isinstance(X, pd.DataFrame) and isinstance(X.index, pd.MultiIndex):
        return pd.DataFrame(scaled, index=X.index, columns=X.columns)
    return scaled
