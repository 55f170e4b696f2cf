"""The loss of token sequences whose lengths differ from those of the input."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqpipe.training._objective import Criterion
from seqpipe.training._step_loss import StepLoss

__all__ = ["TargetLoss"]


class TargetLoss(StepLoss):
    """The weighted mean of a criterion over all valid steps of the targets, which have their own lengths.

    Parameters
    ----------
    steps_per_sample : float
        Average number of steps per target in the training data, see `StepLoss`.
    """

    def __init__(self, steps_per_sample: float) -> None:
        super().__init__(labels=True, steps_per_sample=steps_per_sample)

    def __call__(self, criterion: Criterion, y_pred: Tensor, y_true: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Return the scalar loss of logits (batch, n_timesteps, n_tokens) for tokens (batch, n_timesteps, 1)."""
        return super().__call__(criterion, y_pred, y_true, {**inputs, "lengths": inputs.get("y_lengths")})
