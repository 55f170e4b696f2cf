"""`StepClassifier`: labels per time step."""

from __future__ import annotations

from seqpipe.estimators._classifying import ClassifyingEstimator
from seqpipe.estimators._stepwise import StepwiseEstimator

__all__ = ["StepClassifier"]


class StepClassifier(ClassifyingEstimator, StepwiseEstimator):
    """Predict one label at every time step.

    X may be an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), a list, object array or
    pandas Series of (n_timesteps, n_features) arrays of unequal length, `Sequences`, or `Windows`. y holds as many
    sequences of as many steps: an array of shape (n_samples, n_timesteps),
    a list, object array or Series of such arrays without the first axis, `Sequences`, or `Windows`. Predictions are an
    array where y was an array and the sequences are equally long, `Sequences` where it was `Sequences`, else an object
    array of arrays, one a sequence.
    Labels may be text, such as the tags of words: a list of lists of strings.

    Where the truth is known at some steps only, y is None or NaN at the others: they take part in neither the loss nor the
    score, and a sequence of which nothing is known in no fit. At least one step must be known.

    Notes
    -----
    To scikit-learn this is no classifier (``is_classifier`` is False): a classifier's target is one label a sample, and its
    splitters refuse ragged lists of labels from a classifier. Searches and cross-validation take shuffled or plain folds
    of sequences, and ``score`` where no scoring is given; scikit-learn's scores, by name too, are over all known steps. For
    probabilities of all sequences there is `seqpipe.cross_val_predict`.

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
