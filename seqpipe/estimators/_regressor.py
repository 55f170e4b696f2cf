"""`SequenceRegressor`: one number per sequence, or several."""

from __future__ import annotations

from sklearn.base import RegressorMixin

from seqpipe.estimators._pooled import PooledEstimator
from seqpipe.estimators._regressing import RegressingEstimator

__all__ = ["SequenceRegressor"]


class SequenceRegressor(RegressingEstimator, RegressorMixin, PooledEstimator):
    """Predict one number, or several, per sequence.

    X may be an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), a list, object array or
    pandas Series of (n_timesteps, n_features) arrays of unequal length, `Sequences`, or `Windows`.

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
