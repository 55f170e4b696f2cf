"""`SequenceClassifier`: classification of sequences."""

from __future__ import annotations

from sklearn.base import ClassifierMixin

from seqpipe.estimators._classifying import ClassifyingEstimator
from seqpipe.estimators._overfitting import TrialEstimator

__all__ = ["SequenceClassifier"]


class SequenceClassifier(ClassifyingEstimator, ClassifierMixin, TrialEstimator):
    """Classify sequences: one label, or several labels, per sequence.

    X may be any of:

    - an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), or one with more feature axes;
    - a list, object array or pandas Series of arrays of shape (n_timesteps,) or (n_timesteps, n_features), which may
      differ in length;
    - `Sequences` or `Windows`.

    y may be either of:

    - labels of shape (n_samples,): integers or strings;
    - multi-label targets of shape (n_samples, n_labels): 1 where a label applies, otherwise 0.

    See Also
    --------
    StepClassifier : Classify each time step.
    SlidingWindowClassifier : Classify sequences by a classifier of fixed-size windows.

    Notes
    -----
    The recurrent layers process each sequence, ``pooling`` combines their outputs into one vector, and a linear layer
    maps it to one logit per class or label. The loss is the cross-entropy, or the binary cross-entropy of each label.

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
