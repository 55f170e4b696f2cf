"""Base class of outlier detectors with one score per time step."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from seqpipe import Sequences
from seqpipe.sequences import as_sequences

__all__ = ["StepDetector", "sequences_in"]


def sequences_in(X: Any) -> Sequences:
    """Return X, of any form that `seqpipe.StepRegressor` takes, as `Sequences`."""
    table = isinstance(X, np.ndarray) and X.ndim == 2
    found = as_sequences(X[:, :, None] if table else X)
    return found if isinstance(found, Sequences) else Sequences.from_padded(np.asarray(found))


class StepDetector(OutlierMixin, BaseEstimator):
    """Finds anomalous time steps: a subclass fits ``offset_``, and defines `distances` of steps from what is normal.

    As scikit-learn's outlier detectors do, `score_samples` returns smaller values where a step is more abnormal, and
    `predict` -1 for anomalies and 1 for normal steps; `decision_function` is below 0 at anomalies. All return an array
    (n_samples, n_timesteps) if X is one array, otherwise an object array with an array (n_timesteps,) per sequence.
    """

    contamination: float
    offset_: float

    @abstractmethod
    def distances(self, X: Sequences) -> NDArray[np.float64]:
        """Return the distance of each step from what is normal, shape (total_steps,)."""

    def score_samples(self, X: Any) -> NDArray[Any]:
        """Return the opposite of the distance of each step from what is normal."""
        check_is_fitted(self)
        found = sequences_in(X)
        return _shaped(-self.distances(found), found, X)

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Return the score of each step minus the threshold ``offset_``."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[Any]:
        """Return -1 for each anomalous step, and 1 for each normal step."""
        check_is_fitted(self)
        found = sequences_in(X)
        return _shaped(np.where(-self.distances(found) < self.offset_, -1, 1), found, X)

    def _check_contamination(self) -> None:
        if not isinstance(self.contamination, Real) or not 0 < self.contamination <= 0.5:
            raise ValueError(
                f"The 'contamination' parameter of {type(self).__name__} must be a fraction above 0 and up to 0.5. "
                f"Got {self.contamination!r} instead."
            )

    def _threshold(self, distances: NDArray[np.float64]) -> float:
        """Return the score that a fraction ``contamination`` of normal steps does not reach."""
        return float(np.quantile(-distances, self.contamination))


def _shaped(values: NDArray[Any], found: Sequences, X: Any) -> NDArray[Any]:
    """Return one value per step in the form of X."""
    parts = np.split(values, found.offsets[1:-1])
    if isinstance(X, np.ndarray) and X.dtype != object:
        return np.stack(parts)
    ragged = np.empty(len(parts), dtype=object)
    ragged[:] = parts
    return ragged
