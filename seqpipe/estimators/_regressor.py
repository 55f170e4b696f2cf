"""`SequenceRegressor`: regression of sequences."""

from __future__ import annotations

from sklearn.base import RegressorMixin

from seqpipe.estimators._pooled import PooledEstimator
from seqpipe.estimators._regressing import RegressingEstimator

__all__ = ["SequenceRegressor"]


class SequenceRegressor(RegressingEstimator, RegressorMixin, PooledEstimator):
    """Predict one or several real numbers per sequence.

    X may be any of:

    - an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), or one with more feature axes;
    - a list, object array or pandas Series of arrays of shape (n_timesteps,) or (n_timesteps, n_features), which may
      differ in length;
    - `Sequences` or `Windows`.

    y is an array of shape (n_samples,) or (n_samples, n_outputs).

    See Also
    --------
    StepRegressor : Predict real numbers at each time step.
    Forecaster : Forecast a series from its last window.
    SlidingWindowRegressor : Predict by a regressor of fixed-size windows.

    Notes
    -----
    The recurrent layers process each sequence, ``pooling`` combines their outputs into one vector, and a linear layer
    maps it to the outputs. The loss is the mean squared error.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 12, 1))
    >>> y = X[:, :, 0].sum(axis=1)
    >>> SequenceRegressor(hidden_size=16, random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """
