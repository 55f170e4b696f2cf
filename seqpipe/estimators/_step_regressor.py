"""`StepRegressor`: regression at each time step."""

from __future__ import annotations

from sklearn.base import RegressorMixin

from seqpipe.estimators._regressing import RegressingEstimator
from seqpipe.estimators._stepwise import StepwiseEstimator

__all__ = ["StepRegressor"]


class StepRegressor(RegressingEstimator, RegressorMixin, StepwiseEstimator):
    """Predict one or several real numbers per time step.

    X may be any of:

    - an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), or one with more feature axes;
    - a list, object array or pandas Series of arrays of shape (n_timesteps,) or (n_timesteps, n_features), which may
      differ in length;
    - `Sequences` or `Windows`.

    y has one target per time step of X, and may be any of:

    - an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_outputs);
    - a list, object array or pandas Series of arrays of shape (n_timesteps,) or (n_timesteps, n_outputs);
    - `Sequences` or `Windows`.

    Targets may be missing (None, NaN or NA) at some time steps, which are then ignored in the loss and the score.
    Sequences without any target are ignored in `fit`; at least one time step must have a target.

    Predictions are an array if y was an array and all sequences have the same length, `Sequences` if y was `Sequences`,
    and otherwise an object array with one array per sequence.

    See Also
    --------
    SequenceRegressor : Predict real numbers per sequence.
    WindowedRegressor : Predict at each row of one long series, from the window that ends there.

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
