"""Comparison of a fit that stops early with a constant prediction, on its validation data."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqpipe.estimators._user_warning import warn_user
from seqpipe.exceptions import BaselineWarning
from seqpipe.sequences import Sequences
from seqpipe.training import Samples, SequenceNet

__all__ = ["ConstantComparisonMixin", "constant_loss", "target_rows"]

#: Fraction by which the loss must be below that of the constant: it is the lowest of several epochs, chosen by this data.
_MARGIN = 0.01


def target_rows(samples: Samples, selected: NDArray[np.bool_] | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the encoded targets of all sequences or, with one sequence of targets per sample, of all steps; and weights.

    Parameters
    ----------
    samples : Samples
        With targets.
    selected : array of bool, shape (total_steps,), optional
        Mask of the steps that contribute to the loss; all by default.
    """
    n = len(samples)
    weight = np.ones(n) if samples.weight is None else samples.weight
    if not isinstance(samples.y, Sequences):
        assert samples.y is not None
        return samples.y, weight
    weight = np.repeat(weight, samples.y.lengths)
    if samples.step_weight is not None:
        weight = samples.step_weight.values[:, 0]
    return samples.y.values, weight if selected is None else weight * selected


class ConstantComparisonMixin:
    """Mixin of a `RecurrentEstimator` that warns if its validation loss is never below that of a constant prediction."""

    net_params: dict[str, Any] | None

    @abstractmethod
    def _constant_outputs(self, train: Samples) -> NDArray[np.float64]:
        """Return the outputs, shape (n_outputs,), of a constant prediction that is learned from the training samples."""

    def _calibrate(self, net: SequenceNet, train: Samples, validation: Samples) -> None:
        if "criterion" not in (self.net_params or {}):  # outputs of others mean other things
            self._compare_with_constant(net, train, validation)
        super()._calibrate(net, train, validation)  # type: ignore[misc]

    def _compare_with_constant(self, net: SequenceNet, train: Samples, validation: Samples) -> None:
        losses = [epoch["valid_loss"] for epoch in net.history if "valid_loss" in epoch]
        lowest = min(losses, default=np.nan)
        constant = constant_loss(net, validation, self._constant_outputs(train))
        if not lowest > (1 - _MARGIN) * constant:
            return
        warn_user(
            f"{type(self).__name__} is not better than a constant prediction: its lowest validation loss is "
            f"{lowest:.4g}, and that of always predicting the mean or the class frequencies of the training targets "
            f"{constant:.4g}. {BaselineWarning.advice()}",
            BaselineWarning,
        )


def constant_loss(net: SequenceNet, samples: Samples, outputs: NDArray[np.float64]) -> float:
    """Return the loss of the same outputs for all sequences, or all steps, averaged as the validation loss is."""
    row = torch.as_tensor(outputs, dtype=next(net.module_.parameters()).dtype, device=net.device)
    leading = 2 if isinstance(samples.y, Sequences) else 1
    total = 0.0
    for inputs, y in net.get_iterator(samples):
        loss = net.get_loss(row.expand(*y.shape[:leading], len(row)), y, X=inputs)
        total += float(loss) * len(inputs["x"])
    return total / len(samples)
