"""`SequenceClassifier`: labels per sequence."""

from __future__ import annotations

from sklearn.base import ClassifierMixin

from seqpipe.estimators._classifying import ClassifyingEstimator
from seqpipe.estimators._pooled import PooledEstimator

__all__ = ["SequenceClassifier"]


class SequenceClassifier(ClassifyingEstimator, ClassifierMixin, PooledEstimator):
    """Predict one label per sequence.

    X may be an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), a list, object array or
    pandas Series of (n_timesteps, n_features) arrays of unequal length, `Sequences`, or `Windows`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 2)) for n in rng.integers(5, 15, size=60)]
    >>> y = np.array(["up" if x[:, 0].mean() > 0 else "down" for x in X])
    >>> clf = SequenceClassifier(hidden_size=16, random_state=0).fit(X, y)
    >>> clf.score(X, y) > 0.9
    True
    """
