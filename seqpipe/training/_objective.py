"""From what a network gives and the targets to the one number that is minimised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Criterion", "Objective", "SampleLoss", "StepObjective"]

#: Maps outputs and targets to one loss an entry: a torch criterion with ``reduction="none"``.
Criterion = Callable[[Tensor, Tensor], Tensor]


class Objective(Protocol):
    """Reduces a criterion over a batch."""

    def __call__(self, criterion: Criterion, y_pred: Tensor, y_true: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Return the loss, a scalar.

        Parameters
        ----------
        criterion : callable
            Gives one loss an entry.
        y_pred : tensor of shape (batch, …)
            What the network gave.
        y_true : tensor of shape (batch, …)
            Targets as `Batches` gathers them.
        inputs : dict
            The batch's other entries: ``x``, and where there are such ``lengths``, ``y_lengths``, ``weight`` and
            ``step_weight``.
        """


@runtime_checkable
class StepObjective(Objective, Protocol):
    """Reduces a criterion over the time steps of a batch, which truncated back-propagation can cut.

    Where a batch is cut, the inputs of a part have ``chosen``, the part's columns of what `chosen` gave for the batch,
    which a call takes in place of its own choice, or it would take the last step of a part for a sequence's last;
    ``n_chosen``, the chosen steps of the whole batch; and ``share``, how much of their weight the part holds.
    """

    def chosen(self, inputs: dict[str, Any], n_samples: int, n_timesteps: int) -> NDArray[np.bool_]:
        """Return which steps of a batch have a loss, shape (n_samples, n_timesteps); none in the padding."""


class SampleLoss:
    """The weighted mean over sequences; a criterion that gives (batch, n_outputs) is averaged over outputs."""

    def __call__(self, criterion: Criterion, y_pred: Tensor, y_true: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Return the loss of outputs (batch, n_outputs) for targets (batch,) or (batch, n_outputs)."""
        if y_true.is_floating_point() and y_pred.shape != y_true.shape:
            raise ValueError(f"The network gives {tuple(y_pred.shape)} where the targets have {tuple(y_true.shape)}.")
        loss = criterion(y_pred, y_true)
        if loss.ndim == 0:
            raise ValueError("The criterion must give one loss a sample, so that weights count: leave its mean out.")
        if "weight" not in inputs:
            return loss.mean()
        return ((loss.flatten(1).mean(dim=1) if loss.ndim > 1 else loss) * inputs["weight"]).mean()
