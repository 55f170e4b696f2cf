"""`StepClassifier`: classification of time steps."""

from __future__ import annotations

from seqpipe.estimators._classifying import ClassifyingEstimator
from seqpipe.estimators._stepwise import StepwiseEstimator

__all__ = ["StepClassifier"]


class StepClassifier(ClassifyingEstimator, StepwiseEstimator):
    """Classify time steps: one label, or several labels, per time step.

    X may be any of:

    - an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), or one with more feature axes;
    - a list, object array or pandas Series of arrays of shape (n_timesteps,) or (n_timesteps, n_features), which may
      differ in length;
    - `Sequences` or `Windows`.

    y has one target per time step of X, and may be any of:

    - labels, integers or strings: an array of shape (n_samples, n_timesteps), or a list, object array or pandas Series
      of lists or arrays of shape (n_timesteps,);
    - multi-label targets, 1 where a label applies, otherwise 0: an array of shape (n_samples, n_timesteps, n_labels),
      or a list, object array or pandas Series of arrays of shape (n_timesteps, n_labels);
    - `Sequences` or `Windows` of either, in numbers.

    Targets may be missing (None, NaN or NA) at some time steps, which are then ignored in the loss and the score.
    Sequences without any target are ignored in `fit`; at least one time step must have a target.

    Predictions are an array if y was an array and all sequences have the same length, `Sequences` if y was `Sequences`,
    and otherwise an object array with one array per sequence.

    See Also
    --------
    SequenceClassifier : Classify whole sequences.
    cross_val_predict : Cross-validated predictions and probabilities per time step.

    Notes
    -----
    In scikit-learn's sense this is not a classifier (``is_classifier`` is False), since a classifier has one label per
    sample. Cross-validation and searches therefore split sequences into folds without stratification, and use `score`
    unless ``scoring`` is given. scikit-learn's metrics are computed over all time steps with a target.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import StepClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 1)) for n in rng.integers(5, 15, size=60)]
    >>> y = [["high" if total > 0 else "low" for total in x[:, 0].cumsum()] for x in X]
    >>> model = StepClassifier(hidden_size=16, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> model.predict_proba(X[:1])[0].shape == (len(y[0]), 2)
    True
    """
