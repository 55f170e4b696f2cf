"""Shrinkage of predictions towards the mean, by as much as they do not generalize."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["shrink_head", "shrinkage"]


def shrinkage(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], weight: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Return the factors from 0 to 1, shape (n_outputs,), for predictions as deviations from the mean of the targets.

    The factor is the slope of a regression of the truth on the predictions through the origin, reduced by its own
    uncertainty: to about 0 if it is within 1.4 standard errors of 0, and hardly if it is many (Copas, 1983,
    doi:10.1111/j.2517-6161.1983.tb01258.x).

    Parameters
    ----------
    predicted, truth : arrays of shape (n_samples, n_outputs)
        Deviations from the mean of the training targets, on samples that were not trained on.
    weight : array of shape (n_samples,), optional
        Weight of each sample.
    """
    f, y = predicted.astype(np.float64), truth.astype(np.float64)
    w = np.ones(len(f)) if weight is None else weight / weight.mean()
    size = np.maximum(w @ f**2, np.finfo(np.float64).tiny)
    slope = w @ (f * y) / size
    variance = w @ (y - slope * f) ** 2 / max(len(f) - 1, 1) / size
    known = slope > 0
    reduced = slope - 2 * variance / np.where(known, slope, 1)
    return np.where(known, reduced, 0).clip(0, 1)


def shrink_head(head: nn.Linear, factors: NDArray[np.float64], mean: NDArray[np.floating]) -> None:
    """Multiply the deviations of a layer's outputs from ``mean``, shape (n_outputs,), by factors of the same shape."""
    s, m = (torch.from_numpy(np.asarray(values)).to(head.weight) for values in (factors, mean))
    with torch.no_grad():
        head.weight.mul_(s[:, None])
        head.bias.copy_(m + s * (head.bias - m))
