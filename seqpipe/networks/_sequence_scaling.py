"""Standardisation of each sequence by its own mean and standard deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqpipe.networks._inputs import StandardisedInput
from seqpipe.recurrence import ValidSteps

__all__ = ["SequenceScaling"]


class SequenceScaling(nn.Module):
    """Subtract the mean of each feature of a sequence over its valid steps, and divide by its standard deviation.

    A feature that is constant in a sequence is not divided. The mean is subtracted in the type of the input, so that a
    float64 input keeps small variations of large values.

    Parameters
    ----------
    n_features : int
        Number of features per step.
    keep : bool
        Whether the means and the logarithms of the standard deviations are returned as well.
    dtype : torch.dtype, optional
        Data type of what is returned; that of the input by default.
    """

    def __init__(self, n_features: int, *, keep: bool, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.dtype = dtype
        self.statistics = StandardisedInput(2 * n_features) if keep else None
        self.n_statistics = 2 * n_features if keep else 0

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Map x (batch, n_timesteps, n_features) to the same shape, and to statistics (batch, 2 * n_features), if kept."""
        x, statistics = self.scaled(x, lengths)
        x, statistics = x.to(self.dtype or x.dtype), statistics.to(self.dtype or x.dtype)
        return x, None if self.statistics is None else self.statistics(statistics)

    def scaled(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the result of `forward`, but statistics in any case and not standardised themselves."""
        valid = None if lengths is None else ValidSteps.of(lengths, x.shape[1], x.device)
        mean = _mean(x, valid)
        centred = x - mean[:, None]
        scale = _mean(centred**2, valid).sqrt()
        constant = scale <= 10 * torch.finfo(x.dtype).eps * mean.abs()
        scale = scale.masked_fill(constant, 1.0)
        return centred / scale[:, None], torch.cat([mean, scale.log()], dim=1)


def _mean(x: Tensor, valid: ValidSteps | None) -> Tensor:
    """Return the mean over valid steps, (batch, n_features)."""
    if valid is None:
        return x.mean(dim=1)
    return valid.clear(x).sum(dim=1) / valid.lengths.clamp(min=1)[:, None]
