"""`SlidingWindowRegressor`: regression of sequences or time steps by a regressor of windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import get_tags

from seqpipe.callbacks import reports_score
from seqpipe.estimators._input import check_targets
from seqpipe.estimators._sliding import SlidingWindowEstimator
from seqpipe.estimators._step_targets import check_step_numbers
from seqpipe.sequences import Sequences

__all__ = ["SlidingWindowRegressor"]


class SlidingWindowRegressor(RegressorMixin, SlidingWindowEstimator):
    """Predict real numbers for sequences, or their time steps, by a regressor of fixed-size windows.

    The regressor is fitted to the windows of all sequences, and its predictions are aggregated per sequence.

    X may be any of:

    - an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), or one with more feature axes;
    - a list, object array or pandas Series of arrays of shape (n_timesteps,) or (n_timesteps, n_features), which may
      differ in length;
    - `Sequences` or `Windows`.

    y may be either of:

    - an array of shape (n_samples,) or (n_samples, n_outputs), with one target per sequence, which its windows share;
    - with ``aggregate="concat"``, targets per time step, in any form that `StepRegressor` accepts. Each window predicts
      its last ``stride`` time steps, and all targets must be known.

    Parameters
    ----------
    estimator : regressor
        Regressor of windows. For regressors that do not accept sequences, windows are flattened to
        (n_windows, window * n_features).
    window : int, default=8
        Length of windows, in time steps.
    stride : int, default=1
        Number of time steps between consecutive windows. With ``aggregate="concat"``, at most ``window``; values above
        1 require a regressor that supports several targets.
    pad_value : float, default=0.0
        Value of time steps of a window before the beginning of its sequence.
    aggregate : {"concat", "last", "mean"} or callable, default="mean"
        How predictions of windows are aggregated: "mean" averages them, "last" uses the last window, and a callable
        maps an array of shape (n_windows,) or (n_windows, n_outputs) to a single prediction. "concat" predicts at each
        time step.

    Attributes
    ----------
    estimator_ : regressor
        The fitted regressor.
    n_features_in_ : int
        Number of features per time step; number of time steps if X was of shape (n_samples, n_timesteps).

    See Also
    --------
    SequenceRegressor : Predict by a recurrent network.
    WindowedRegressor : Predict at each row of one long series, from the window that ends there.

    References
    ----------
    T. G. Dietterich, 2002, Machine Learning for Sequential Data: A Review, doi:10.1007/3-540-70659-3_2, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from seqpipe import SlidingWindowRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 1)) for n in rng.integers(3, 15, size=60)]
    >>> y = [np.convolve(x[:, 0], [0.5, 0.3, 0.2])[: len(x)] for x in X]
    >>> model = SlidingWindowRegressor(Ridge(), window=4, stride=2, aggregate="concat").fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = get_tags(self.estimator).target_tags.multi_output
        return tags

    def _check_targets(self, y: Any, X: Sequences) -> NDArray[Any]:
        return check_targets(self, y, len(X))

    def _read_steps(self, rows: NDArray[Any], X: Sequences) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        return check_step_numbers(rows, X, owner=type(self).__name__)

    def _values(self, X: Any) -> tuple[NDArray[np.float64], Sequences]:
        """Return predictions, (n_samples, …) or (total_steps, n_outputs), and X as sequences."""
        predictions, windows, found = self._window_predictions(X, "predict")
        if not self._by_step:
            return self._joined(predictions, windows), found
        _, there = self._last_steps(found, windows)
        return predictions.reshape(len(predictions), self.stride, -1)[there], found

    def predict(self, X: Any) -> Any:
        """Predict the targets of each sequence or, with ``aggregate="concat"``, of each time step.

        Parameters
        ----------
        X : sequences
            Input data, in any form that the class docstring lists.

        Returns
        -------
        y_pred : array of shape (n_samples,) or (n_samples, n_outputs)
            Predictions; with ``aggregate="concat"``, in the form of the training targets.
        """
        values, found = self._values(X)
        if not self._by_step:
            return values
        return self._shaped(values if self._step_ndim == 2 else values[:, 0], found)

    @reports_score
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² over sequences or time steps, averaged over outputs."""
        values, found = self._values(X)
        weight = self._score_weight(sample_weight, found)
        return float(r2_score(self._targets(y, found), values, sample_weight=weight))
