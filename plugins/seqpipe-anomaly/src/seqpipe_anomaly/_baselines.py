"""Baselines: a step is compared with the steps before it, without a model of how they follow one another."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqpipe import Sequences
from seqpipe_anomaly._detector import StepDetector, sequences_in
from seqpipe_anomaly._errors import step_numbers

__all__ = ["LastValueDetector", "RunningMeanDetector"]


class RunningMeanDetector(StepDetector):
    """Compare a step with the mean and the standard deviation of the steps before it: the squared z-score.

    The mean and the variance of the training data count as one more step.

    Parameters
    ----------
    contamination : float, default=0.01
        Fraction of the training steps that are flagged.
    """

    def __init__(self, *, contamination: float = 0.01) -> None:
        self.contamination = contamination

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to sequences X; y is ignored."""
        self._check_contamination()
        found = sequences_in(X)
        self.mean_, self.variance_ = found.values.mean(axis=0), found.values.var(axis=0) + 1e-12
        self.offset_ = self._threshold(self.distances(found))
        return self

    def distances(self, X: Sequences) -> NDArray[np.float64]:
        """Return the squared z-score of each step, averaged over features, shape (total_steps,)."""
        x = X.values - self.mean_
        n = step_numbers(X)[:, None] + 1
        first, second = _before(x, X), _before(x**2, X) + self.variance_
        mean = first / n
        return ((x - mean) ** 2 / (second / n - mean**2)).mean(axis=1)


class LastValueDetector(StepDetector):
    """Compare a step with the one before it: their squared difference, by its mean in the training data.

    Parameters
    ----------
    contamination : float, default=0.01
        Fraction of the training steps that are flagged.
    """

    def __init__(self, *, contamination: float = 0.01) -> None:
        self.contamination = contamination

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to sequences X; y is ignored."""
        self._check_contamination()
        found = sequences_in(X)
        self.scale_ = (_differences(found) ** 2).mean(axis=0) + 1e-12
        self.offset_ = self._threshold(self.distances(found))
        return self

    def distances(self, X: Sequences) -> NDArray[np.float64]:
        """Return the squared difference from the last step, averaged over features, shape (total_steps,)."""
        return (_differences(X) ** 2 / self.scale_).mean(axis=1)


def _differences(X: Sequences) -> NDArray[np.float64]:
    """Return the differences from the last step, 0 at the first step of a sequence."""
    difference = np.diff(X.values, axis=0, prepend=X.values[:1])
    return np.where(step_numbers(X)[:, None] > 0, difference, 0)


def _before(x: NDArray[np.float64], X: Sequences) -> NDArray[np.float64]:
    """Return the sums of x (total_steps, n_features) over the earlier steps of the same sequence."""
    parts = np.split(x, X.offsets[1:-1])
    return np.concatenate([part.cumsum(axis=0) - part for part in parts])
