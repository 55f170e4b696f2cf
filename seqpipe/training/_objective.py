"""Objectives: reduce a criterion over outputs and targets to the scalar loss that is minimized."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.training._batches import Batch

__all__ = ["Criterion", "Objective", "SampleLoss", "StepObjective"]

#: Maps outputs and targets to one loss per element: a torch criterion with ``reduction="none"``.
Criterion = Callable[[Tensor, Tensor], Tensor]


class Objective(Protocol):
    """Reduces a criterion over a batch."""

    def __call__(self, criterion: Criterion, y_pred: Tensor, y_true: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Return the scalar loss.

        Parameters
        ----------
        criterion : callable
            Returns one loss per element.
        y_pred : tensor of shape (batch, …)
            Outputs of the network.
        y_true : tensor of shape (batch, …)
            Targets as `Batches` gathers them.
        inputs : dict
            The other entries of the batch: ``x``, and if present ``lengths``, ``y_lengths``, ``weight`` and
            ``step_weight``.
        """

    def share(self, part: Batch, batch: Batch) -> float:
        """Return the factor of the loss of some rows of a batch in that of the batch."""


@runtime_checkable
class StepObjective(Objective, Protocol):
    """Reduces a criterion over the time steps of a batch, which truncated backpropagation can split.

    The inputs of a part of a split batch have ``chosen``, the part's columns of the result of `chosen` for the batch,
    used instead of a new selection, which would take the last step of a part for that of a sequence; ``n_chosen``, the
    number of chosen steps of the whole batch; and ``share``, the fraction of their weight in the part.
    """

    def chosen(self, inputs: dict[str, Any], n_samples: int, n_timesteps: int) -> NDArray[np.bool_]:
        """Return a mask of the steps of a batch with a loss, shape (n_samples, n_timesteps), False in the padding."""


class SampleLoss:
    """The weighted mean over sequences; losses of shape (batch, n_outputs) are averaged over outputs."""

    def __call__(self, criterion: Criterion, y_pred: Tensor, y_true: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Return the loss of outputs (batch, n_outputs) for targets (batch,) or (batch, n_outputs)."""
        return self.of_samples(criterion, y_pred, y_true, inputs.get("weight")).mean()

    def share(self, part: Batch, batch: Batch) -> float:
        """Return the fraction of the batch's sequences in a part."""
        return len(part[0]["x"]) / len(batch[0]["x"])

    def of_samples(self, criterion: Criterion, y_pred: Tensor, y_true: Tensor, weight: Tensor | None) -> Tensor:
        """Return the weighted losses of samples, of any shape (batch, …), whose mean is the loss."""
        if y_true.is_floating_point() and y_pred.shape != y_true.shape:
            raise ValueError(
                f"The network's output must have the shape of the targets, {tuple(y_true.shape)}. "
                f"Got {tuple(y_pred.shape)} instead."
            )
        loss = criterion(y_pred, y_true)
        if loss.ndim == 0:
            raise ValueError(
                "The criterion must return one loss per sample, so that weights apply. Use reduction='none'."
            )
        if weight is None:
            return loss
        return (loss.flatten(1).mean(dim=1) if loss.ndim > 1 else loss) * weight
