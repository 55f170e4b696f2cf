"""`SequenceRegressor`: regression of sequences."""

from __future__ import annotations

import numpy as np
from sklearn.base import RegressorMixin

from seqpipe.estimators._pooled import PooledEstimator
from seqpipe.estimators._regressing import RegressingEstimator
from seqpipe.estimators._shrinkage import shrink_head, shrinkage
from seqpipe.sequences import Windows
from seqpipe.training import Samples, SequenceNet

__all__ = ["SequenceRegressor"]

#: Number of sequences of which some can be spared for validation.
_MANY = 200


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

    def _stops_early(self, samples: Samples) -> bool:
        if self.early_stopping == "auto":
            return len(samples) >= _MANY and not isinstance(samples.X, Windows)
        return super()._stops_early(samples)

    def _calibrate(self, net: SequenceNet, train: Samples, validation: Samples) -> None:
        """Shrink predictions towards the mean of the targets, unless another loss has another constant prediction."""
        super()._calibrate(net, train, validation)
        if any(name.split("__")[0] == "criterion" for name in self.net_params or {}) or self.head != "linear":
            return
        assert isinstance(train.y, np.ndarray)
        mean = np.average(train.y, axis=0, weights=train.weight)
        factors = shrinkage(net.outputs(validation) - mean, validation.y - mean, validation.weight)
        shrink_head(net.module_.head, factors, mean)
