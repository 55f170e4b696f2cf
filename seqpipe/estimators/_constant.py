"""Comparison of a fit that stops early with a constant prediction, on its validation data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqpipe.exceptions import BaselineWarning
from seqpipe.sequences import Sequences
from seqpipe.training import Samples, SequenceNet

__all__ = ["target_rows", "warn_if_constant"]

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


def warn_if_constant(net: SequenceNet, validation: Samples, outputs: NDArray[np.float64], *, owner: str) -> None:
    """Warn if the lowest validation loss of a fit is not below that of a constant prediction.

    Parameters
    ----------
    net : SequenceNet
        The fitted net, whose objective and criterion are used.
    validation : Samples
        The data of the validation loss.
    outputs : array of shape (n_outputs,)
        Outputs of the constant prediction.
    owner : str
        Name of the estimator, for the warning.
    """
    losses = [epoch["valid_loss"] for epoch in net.history if "valid_loss" in epoch]
    lowest, constant = min(losses, default=np.nan), _constant_loss(net, validation, outputs)
    if not lowest > (1 - _MARGIN) * constant:
        return
    warnings.warn(
        f"{owner} is not better than a constant prediction: its lowest validation loss is {lowest:.4g}, and that of "
        f"always predicting the mean or the class frequencies of the training targets {constant:.4g}. "
        f"{BaselineWarning.advice()}",
        BaselineWarning,
        stacklevel=5,
    )


def _constant_loss(net: SequenceNet, samples: Samples, outputs: NDArray[np.float64]) -> float:
    """Return the loss of the same outputs for all sequences, or all steps, averaged as the validation loss is."""
    row = torch.as_tensor(outputs, dtype=next(net.module_.parameters()).dtype, device=net.device)
    leading = 2 if isinstance(samples.y, Sequences) else 1
    total = 0.0
    for inputs, y in net.get_iterator(samples):
        loss = net.get_loss(row.expand(*y.shape[:leading], len(row)), y, X=inputs)
        total += float(loss) * len(inputs["x"])
    return total / len(samples)
