"""`StepRegressor`: one number per time step, or several."""

from __future__ import annotations

from sklearn.base import RegressorMixin

from seqpipe.estimators._regressing import RegressingEstimator
from seqpipe.estimators._stepwise import StepwiseEstimator

__all__ = ["StepRegressor"]


class StepRegressor(RegressingEstimator, RegressorMixin, StepwiseEstimator):
    """Predict one number, or several, at every time step.

    X may be an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), a list, object array or
    pandas Series of (n_timesteps, n_features) arrays of unequal length, `Sequences`, or `Windows`. y holds as many
    sequences of as many steps: an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_outputs),
    a list, object array or Series of such arrays without the first axis, `Sequences`, or `Windows`. Predictions are an
    array where y was an array and the sequences are equally long, `Sequences` where it was `Sequences`, else an object
    array of arrays, one a sequence.

    Where the truth is known at some steps only, y is NaN or None at the others: they take part in neither the loss nor the
    score, and a sequence of which nothing is known in no fit. At least one step must be known.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import StepRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 1)) for n in rng.integers(5, 15, size=60)]
    >>> y = [x[:, 0].cumsum() for x in X]
    >>> model = StepRegressor(hidden_size=16, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> model.predict(X[:1])[0].shape == y[0].shape
    True
    """
