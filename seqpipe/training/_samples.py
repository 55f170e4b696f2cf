"""What a net is fitted to."""

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
        Of the network's dtype.
    y : array of shape (n_samples,) of int64, or (n_samples, n_outputs) of the network's dtype, or Sequences; or None
        Class numbers or standardised targets; a sequence of them a sample; None to predict.
    weight : array of shape (n_samples,), or None
        Of mean 1 over the training samples.
    step_weight : Sequences of one feature, or None
        Weight of each time step of X, in place of ``weight`` in the loss, 0 for a step that has none.
    """

    X: Sequences | Windows
    y: NDArray[Any] | Sequences | None = None
    weight: NDArray[Any] | None = None
    step_weight: Sequences | None = None

    def __len__(self) -> int:
        return len(self.X)

    @property
    def step_offsets(self) -> NDArray[np.int64]:
        """Where each sequence begins when all stand one after the other, and where the last ends: (n_samples + 1,)."""
        X = self.X
        return X.offsets if isinstance(X, Sequences) else np.arange(len(X) + 1) * X.window

    def take(self, indices: NDArray[np.int64]) -> Samples:
        """Return some of the samples."""
        y, weight, step_weight = self.y, self.weight, self.step_weight
        return Samples(
            self.X[indices],
            None if y is None else y[indices],
            None if weight is None else weight[indices],
            None if step_weight is None else step_weight[indices],
        )
