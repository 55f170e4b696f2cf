"""The distribution of the errors at normal steps, as in LSTM-AD (Malhotra et al., 2015, ESANN, pages 89-94)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["ErrorDistribution"]


@dataclass(frozen=True)
class ErrorDistribution:
    """A normal distribution of errors.

    Attributes
    ----------
    mu : array of shape (n_errors,)
        Mean of the errors of a step.
    sigma : array of shape (n_errors, n_errors)
        Their covariance.
    """

    mu: NDArray[np.float64]
    sigma: NDArray[np.float64]

    @classmethod
    def fitted(cls, e: NDArray[np.float64], floor: NDArray[np.float64]) -> Self:
        """Return the distribution of errors e (n_steps, n_errors), ``floor`` (n_errors,) added to their variances."""
        mu = e.mean(axis=0)
        return cls(mu, (e - mu).T @ (e - mu) / len(e) + np.diag(floor))

    def distance(self, e: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (e - mu)ᵀ sigma⁻¹ (e - mu) / n_errors of errors e (n_steps, n_errors), shape (n_steps,).

        Of a step whose last errors are NaN, the distance is that of the others; 0 if it has none.
        """
        n_known = (~np.isnan(e)).sum(axis=1)
        found = np.zeros(len(e))
        for n in set(n_known.tolist()) - {0}:
            rows = n_known == n
            found[rows] = self._squared(e[rows, :n]) / n
        return found

    def log_density(self, e: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-density of the first errors e (n_steps, n) of steps, shape (n_steps,)."""
        n = e.shape[1]
        log_det = np.linalg.slogdet(self.sigma[:n, :n]).logabsdet
        return -(self._squared(e) + log_det + n * np.log(2 * np.pi)) / 2

    def _squared(self, e: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the squared Mahalanobis distance of the first errors (n_steps, n) of steps."""
        n = e.shape[1]
        deviation = e - self.mu[:n]
        return (deviation * np.linalg.solve(self.sigma[:n, :n], deviation.T).T).sum(axis=1)
