"""The training data of a net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.sequences import Sequences, Windows

__all__ = ["Samples"]


@dataclass(frozen=True)
class Samples:
    """Sequences with their targets.

    Attributes
    ----------
    X : Sequences or Windows
        Input, of the network's dtype.
    y : array of shape (n_samples,) of int64, or (n_samples, n_outputs) of the network's dtype, or Sequences; or None
        Class indices or standardized targets, or one sequence of them per sample; None for prediction.
    weight : array of shape (n_samples,), or None
        Sample weights, of mean 1 over the training samples.
    step_weight : Sequences of one feature, or None
        Weight of each time step of X, used in the loss instead of ``weight``; 0 excludes a step.
    """

    X: Sequences | Windows
    y: NDArray[Any] | Sequences | None = None
    weight: NDArray[Any] | None = None
    step_weight: Sequences | None = None

    def __len__(self) -> int:
        return len(self.X)

    @property
    def step_offsets(self) -> NDArray[np.int64]:
        """Offsets of the sequences when concatenated, and the total number of steps: (n_samples + 1,)."""
        X = self.X
        return X.offsets if isinstance(X, Sequences) else np.arange(len(X) + 1) * X.window

    def take(self, indices: NDArray[np.int64]) -> Samples:
        """Return the samples at the given indices."""
        y, weight, step_weight = self.y, self.weight, self.step_weight
        return Samples(
            self.X[indices],
            None if y is None else y[indices],
            None if weight is None else weight[indices],
            None if step_weight is None else step_weight[indices],
        )
