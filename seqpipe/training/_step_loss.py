"""The loss at selected time steps: all of them, the last ones, or those given by a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.training._batches import Batch
from seqpipe.training._objective import Criterion

__all__ = ["StepLoss", "StepRule", "chosen_steps"]

#: "all", "last", the number of last steps, or a function from a sequence's length to a mask of its steps.
StepRule = str | int | Callable[[int], Any]


def chosen_steps(loss_on: StepRule, lengths: NDArray[np.int64], n_timesteps: int) -> NDArray[np.bool_]:
    """Return a mask of the steps that count, shape (n_samples, n_timesteps), False in the padding.

    Parameters
    ----------
    loss_on : "all", "last", int or callable
        All valid steps, the last one, that many last ones (all of a shorter sequence), or a function that maps the
        length of a sequence to a boolean array of that length.
    lengths : array of int, shape (n_samples,)
        Number of valid steps of each sequence.
    n_timesteps : int
        Number of steps of the padded batch.

    Raises
    ------
    ValueError
        If the function does not return a boolean array of that length.
    """
    steps = np.arange(n_timesteps)
    valid = steps < lengths[:, None]
    if callable(loss_on):
        for length in np.unique(lengths):
            valid[lengths == length, :length] = _mask(loss_on, int(length))
        return valid
    if loss_on == "all":
        return valid
    last = 1 if loss_on == "last" else int(loss_on)
    return valid & (steps >= lengths[:, None] - last)


def _mask(rule: Callable[[int], Any], length: int) -> NDArray[np.bool_]:
    mask = np.asarray(rule(length))
    if mask.shape != (length,) or mask.dtype != bool:
        raise ValueError(
            "The 'loss_on' parameter as a function must take a number of time steps and return a boolean array of that "
            f"length. For {length} it returned shape {mask.shape} and dtype {mask.dtype} instead."
        )
    return mask


class StepLoss:
    """The weighted mean of a criterion over the selected valid steps of a batch, excluding steps with weight 0.

    Parameters
    ----------
    loss_on : "all", "last", int or callable, default="all"
        Steps that count, see `chosen_steps`.
    labels : bool, default=False
        Whether targets are class indices; the criterion then takes (n_steps, n_classes) and int64 (n_steps,), else
        (n_steps, n_outputs) twice.
    steps_per_sample : float, optional
        Average number of selected steps per sequence in the training data. If given, the sum over a batch is divided
        by its expected instead of its actual number of steps: then each step has the same share in an epoch, whether
        its batch holds long or short sequences, and the batch losses average to the mean over all steps.
    """

    def __init__(
        self,
        loss_on: StepRule = "all",
        *,
        labels: bool = False,
        steps_per_sample: float | None = None,
    ) -> None:
        self.loss_on = loss_on
        self.labels = labels
        self.steps_per_sample = steps_per_sample

    def __call__(self, criterion: Criterion, y_pred: Tensor, y_true: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Return the scalar loss of outputs (batch, n_timesteps, n_outputs) for targets with as many steps."""
        self._check(y_pred, y_true)
        n_samples, n_timesteps = y_pred.shape[:2]
        rows = self._rows(inputs, n_samples, n_timesteps)
        picked = torch.from_numpy(rows).to(y_pred.device)
        outputs, targets = y_pred.flatten(0, 1), y_true.flatten(0, 1)
        if len(rows) < len(outputs):
            outputs, targets = outputs.index_select(0, picked), targets.index_select(0, picked)
        if self.labels:
            targets = targets[:, 0].long()
        loss = criterion(outputs, targets)
        if loss.ndim == 0:
            raise ValueError(
                "The criterion must return one loss per step, so that weights apply. Use reduction='none'."
            )
        loss = loss.flatten(1).mean(dim=1) if loss.ndim > 1 else loss
        if "step_weight" in inputs:
            loss = loss * torch.from_numpy(inputs["step_weight"].reshape(-1)[rows]).to(loss)
        elif "weight" in inputs:
            loss = loss * inputs["weight"].index_select(0, picked // n_timesteps)
        counted = inputs.get("n_chosen", len(rows))
        of_batch = counted if self.steps_per_sample is None else n_samples * self.steps_per_sample
        return loss.sum() / (of_batch * inputs.get("share", 1) or 1)

    def share(self, part: Batch, batch: Batch) -> float:
        """Return the factor of the loss of some rows: their fraction of the steps or samples that the loss is divided by."""
        if self.steps_per_sample is not None:
            return len(part[0]["x"]) / len(batch[0]["x"])
        if "n_chosen" in batch[0]:
            return 1.0  # that of the batch
        return self._n_chosen(part) / max(1, self._n_chosen(batch))

    def _n_chosen(self, batch: Batch) -> int:
        inputs, y = batch
        return int(self.chosen(inputs, *y.shape[:2]).sum())

    def _check(self, y_pred: Tensor, y_true: Tensor) -> None:
        aligned = y_pred.shape[:2] == y_true.shape[:2]
        if not aligned or (not self.labels and y_pred.shape != y_true.shape):
            raise ValueError(
                f"The network's output must have the shape of the targets, {tuple(y_true.shape)}. "
                f"Got {tuple(y_pred.shape)} instead."
            )

    def chosen(self, inputs: dict[str, Any], n_samples: int, n_timesteps: int) -> NDArray[np.bool_]:
        """Return a mask of the steps of a batch that count, shape (n_samples, n_timesteps)."""
        lengths = inputs.get("lengths")
        known = np.full(n_samples, n_timesteps) if lengths is None else lengths.numpy()
        chosen = chosen_steps(self.loss_on, known, n_timesteps)
        return chosen & (inputs["step_weight"] > 0) if "step_weight" in inputs else chosen

    def _rows(self, inputs: dict[str, Any], n_samples: int, n_timesteps: int) -> NDArray[np.int64]:
        """Return the indices of selected steps in a flattened batch."""
        if "chosen" in inputs:
            return np.flatnonzero(inputs["chosen"])
        if not {"lengths", "step_weight"} & inputs.keys() and self.loss_on == "all":
            return np.arange(n_samples * n_timesteps)
        return np.flatnonzero(self.chosen(inputs, n_samples, n_timesteps))
