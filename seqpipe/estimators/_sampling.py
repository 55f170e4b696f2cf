"""Sampling of the next token from logits: temperature, top-k and nucleus sampling."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sampling"]


@dataclass(frozen=True)
class Sampling:
    """Samples the next token.

    Parameters
    ----------
    temperature : float, default=1.0
        Divisor of the logits; values below 1 favor probable tokens, and 0 always selects the most probable one.
    top_k : int, optional
        Number of most probable tokens to sample from.
    top_p : float, optional
        Sample from the smallest set of most probable tokens whose total probability reaches this value (nucleus
        sampling, Holtzman et al., 2020, arXiv:1904.09751).

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not _is_number(self.temperature) or not 0 <= self.temperature < np.inf:
            raise ValueError(
                f"The 'temperature' parameter of generate must be a finite number >= 0. Got {self.temperature!r} "
                "instead."
            )
        if self.top_k is not None and (
            not isinstance(self.top_k, Integral) or isinstance(self.top_k, bool) or self.top_k < 1
        ):
            raise ValueError(
                f"The 'top_k' parameter of generate must be an int >= 1 or None. Got {self.top_k!r} instead."
            )
        if self.top_p is not None and (not _is_number(self.top_p) or not 0 < self.top_p <= 1):
            raise ValueError(
                f"The 'top_p' parameter of generate must be in (0, 1] or None. Got {self.top_p!r} instead."
            )

    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of drawing each token, from logits; both of shape (n_samples, n_tokens)."""
        logits = np.asarray(logits, dtype=np.float64)
        logits = logits - logits.max(axis=1, keepdims=True)
        if self.temperature == 0:
            return np.eye(logits.shape[1])[logits.argmax(axis=1)]
        order = np.argsort(-logits, axis=1, kind="stable")
        falling = np.exp(np.take_along_axis(logits, order, axis=1) / self.temperature)
        if self.top_k is not None:
            falling[:, self.top_k :] = 0
        falling /= falling.sum(axis=1, keepdims=True)
        if self.top_p is not None:
            before = np.cumsum(falling, axis=1) - falling
            falling[before >= self.top_p] = 0
            falling /= falling.sum(axis=1, keepdims=True)
        probabilities = np.empty_like(falling)
        np.put_along_axis(probabilities, order, falling, axis=1)
        return probabilities

    def draw(self, logits: NDArray[Any], random: np.random.RandomState) -> NDArray[np.int64]:
        """Draw one token number per row of logits (n_samples, n_tokens), shape (n_samples,)."""
        cumulated = np.cumsum(self.probabilities(logits), axis=1)
        drawn = random.random_sample(len(cumulated)) * cumulated[:, -1]
        return np.asarray((cumulated <= drawn[:, None]).sum(axis=1), dtype=np.int64)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
