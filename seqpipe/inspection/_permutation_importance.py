"""Permutation importance of the features of sequences (Breiman, 2001, Random Forests, doi:10.1023/A:1010933404324)."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_random_state

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.inspection._features import FeatureSeries

__all__ = ["permutation_importance"]


def permutation_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    scoring: Any = None,
    n_repeats: int = 5,
    random_state: Any = None,
    sample_weight: ArrayLike | None = None,
) -> Bunch:
    """Return how much the score of a fitted estimator decreases if one feature of the sequences is permuted.

    The whole series of a feature is exchanged between sequences, so that its course in time remains, and its relation
    to the other features and to the target is broken. In scikit-learn's function of the same name, which accepts tables
    only, a column is permuted in the same way.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator, pipeline or search.
    X : sequences
        Held-out data, in any form that the estimator accepts, other than a table.
    y : targets
        Targets, one per sequence or per time step, as the estimator's ``score`` accepts them.
    scoring : str, callable or None, default=None
        A scorer of scikit-learn; None for the estimator's ``score``.
    n_repeats : int, default=5
        Number of permutations of each feature.
    random_state : int, RandomState or None, default=None
        Determines the permutations.
    sample_weight : array-like, optional
        Weights, passed to the scorer.

    Returns
    -------
    result : Bunch
        ``importances`` of shape (n_features, n_repeats), the decreases of the score; their mean and standard deviation
        per feature, ``importances_mean`` and ``importances_std``; and ``feature_names``.

    Raises
    ------
    InvalidSequencesError
        If X is a table or invalid, or ``n_repeats`` is not a positive integer.

    Notes
    -----
    Sequences of different lengths exchange their series as follows: the series of all sequences are put one after the
    other in random order, and cut again at the ends of the sequences. No value is resampled, repeated or lost, as in
    the permutation of a column; a sequence may get the end of one series and the beginning of another. A feature that
    is constant within each sequence, such as an age, is exchanged as one number per sequence.

    The importance of a feature is underestimated if another one carries the same information.

    References
    ----------
    L. Breiman, 2001, Random Forests, Machine Learning 45, 5–32, doi:10.1023/A:1010933404324, section 10.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceRegressor
    >>> from seqpipe.inspection import permutation_importance
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 2)) for n in rng.integers(4, 9, size=80)]
    >>> y = [x[:, 0].mean() for x in X]
    >>> model = SequenceRegressor(hidden_size=8, max_epochs=20, random_state=0).fit(X[:60], y[:60])
    >>> first, second = permutation_importance(model, X[60:], y[60:], random_state=0).importances_mean
    >>> bool(first > 0.5 > abs(second))
    True
    """
    if not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise InvalidSequencesError(
            f"The 'n_repeats' parameter of permutation_importance must be an integer of at least 1. Got {n_repeats!r} "
            "instead."
        )
    series = FeatureSeries(X, owner="permutation_importance")
    scorer, random = check_scoring(estimator, scoring), check_random_state(random_state)
    weight = {} if sample_weight is None else {"sample_weight": sample_weight}
    whole = scorer(estimator, X, y, **weight)
    importances = np.empty((len(series.names), n_repeats))
    for feature, repeat in np.ndindex(importances.shape):
        values = _exchanged(series.sequences.values[:, feature], series.sequences.offsets, random)
        importances[feature, repeat] = whole - scorer(estimator, series.replaced(feature, values), y, **weight)
    return Bunch(
        importances=importances,
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        feature_names=series.names,
    )


def _exchanged(values: NDArray[Any], offsets: NDArray[np.int64], random: np.random.RandomState) -> NDArray[Any]:
    """Return the values of a feature, shape (total_steps,), with its series exchanged between sequences."""
    order = random.permutation(len(offsets) - 1)
    first, lengths = values[offsets[:-1]], np.diff(offsets)
    if (values == np.repeat(first, lengths)).all():
        return np.repeat(first[order], lengths)
    series = np.split(values, offsets[1:-1])
    return np.concatenate([series[i] for i in order])
