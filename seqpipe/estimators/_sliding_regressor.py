"""`SlidingWindowRegressor`: a number a sequence, or a time step, by a regressor of windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import get_tags

from seqpipe.estimators._input import check_targets, check_weight
from seqpipe.estimators._sliding import SlidingWindowEstimator
from seqpipe.estimators._step_targets import check_step_numbers
from seqpipe.sequences import Sequences

__all__ = ["SlidingWindowRegressor"]


class SlidingWindowRegressor(RegressorMixin, SlidingWindowEstimator):
    """Predict numbers for sequences of unequal length by a regressor that sees one window at a time.

    The regressor is fitted to all windows of all sequences, each with the target of its sequence, so that its loss is one a
    window; its predictions are joined by sequence. With ``aggregate="concat"`` there are targets for each time step: each
    window predicts those of its last ``stride`` steps, and these parts are put together again. X may be whatever
    `SequenceRegressor` takes. For one long series in rows there is `WindowedRegressor`.

    Parameters
    ----------
    estimator : regressor
        Any of scikit-learn's, which gets windows flattened to (n_windows, window * n_features), or one that takes sequences.
    window : int, default=8
        Time steps of a window.
    stride : int, default=1
        Time steps between the ends of two windows; with ``aggregate="concat"`` at most ``window``, and above 1 the regressor
        must take several targets.
    pad_value : float, default=0.0
        What stands before a sequence's first step where its first window begins earlier.
    aggregate : {"concat", "last", "mean"} or callable, default="mean"
        "mean" averages the windows' predictions, "last" takes that of the last window, a callable maps them, an array
        (n_windows,) or (n_windows, n_outputs), to one. "concat" predicts at each time step from y aligned with X, as
        `StepRegressor` does.

    Attributes
    ----------
    estimator_ : regressor
        The fitted one.
    n_features_in_ : int
        Features of a step, or time steps if fitted to a table of shape (n_samples, n_timesteps).

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
        """Return predictions, (n_samples, …) or (total_steps, n_outputs), and X as it was read."""
        answers, windows, found = self._answers(X, "predict")
        if not self._by_step:
            return self._joined(answers, windows), found
        _, there = self._last_steps(found, windows)
        return answers.reshape(len(answers), self.stride, -1)[there], found

    def predict(self, X: Any) -> Any:
        """Return the predictions, shaped as y was."""
        values, found = self._values(X)
        if not self._by_step:
            return values
        return self._shaped(values if self._step_ndim == 2 else values[:, 0], found)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² over sequences or time steps, the mean over outputs where there are several."""
        values, found = self._values(X)
        weight = check_weight(sample_weight, len(found))
        if weight is not None and self._by_step:
            weight = np.repeat(weight, found.lengths)
        return float(r2_score(self._targets(y, found), values, sample_weight=weight))
