"""The loss of token sequences whose lengths are not those of the input."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqpipe.training._objective import Criterion
from seqpipe.training._step_loss import StepLoss

__all__ = ["TargetLoss"]


class TargetLoss(StepLoss):
    """The weighted mean of a criterion over all valid steps of the targets, which have lengths of their own.

    Parameters
    ----------
    steps_per_sample : float
        Steps of a target on the average of all data, see `StepLoss`.
    """

    def __init__(self, steps_per_sample: float) -> None:
        super().__init__(labels=True, steps_per_sample=steps_per_sample)

    def __call__(self, criterion: Criterion, y_pred: Tensor, y_true: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Return the loss of logits (batch, n_timesteps, n_tokens) for tokens (batch, n_timesteps, 1), a scalar."""
        return super().__call__(criterion, y_pred, y_true, {**inputs, "lengths": inputs.get("y_lengths")})
