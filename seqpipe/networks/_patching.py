"""Patches: neighbouring time steps joined into one input vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqpipe.recurrence import ValidSteps

__all__ = ["Patching"]


class Patching(nn.Module):
    """Join each ``length`` neighbouring time steps into one vector, every ``stride`` time steps.

    The first patch begins with ``lead`` zeros before the first step; the last one contains the last valid step, and zeros
    after it. Nie et al., 2023, arXiv:2211.14730.

    Parameters
    ----------
    n_features : int
        Number of features per time step.
    length, stride : int
        Time steps per patch, and from the start of one patch to the next; stride <= length.
    lead : int, default=0
        Time steps of the first patch before the sequence. With length - stride, each patch ends ``stride`` time steps
        after the one before it, and the first one at step ``stride``.
    """

    def __init__(self, n_features: int, length: int, stride: int, *, lead: int = 0) -> None:
        super().__init__()
        self.length = length
        self.stride = stride
        self.lead = lead
        self.output_size = n_features * length

    def n_patches(self, lengths: Tensor) -> Tensor:
        """Return the number of patches of sequences of these lengths, in the same shape."""
        return self.patch_of(lengths - 1) + (lengths > 0).to(lengths.dtype)

    def patch_of(self, steps: Tensor) -> Tensor:
        """Return the index of the first patch that contains each of the time steps with these indices."""
        after = steps + self.lead - self.length
        return torch.div(after, self.stride, rounding_mode="floor").clamp(min=-1) + 1

    def last_patch_of(self, steps: Tensor) -> Tensor:
        """Return the index of the last patch that contains each of the time steps, in a sequence without end."""
        return torch.div(steps + self.lead, self.stride, rounding_mode="floor")

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, before: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Map x (batch, n_timesteps, n_features) to (batch, n_patches, length * n_features), with their lengths.

        ``before`` (batch, lead, n_features) are the steps before x, zeros by default.
        """
        n_timesteps = x.shape[1]
        if lengths is not None:
            x = ValidSteps.of(lengths, n_timesteps, x.device).clear(x)
            lengths = self.n_patches(lengths)
        n_patches = int(self.n_patches(torch.tensor(n_timesteps)))
        padding = (n_patches - 1) * self.stride + self.length - self.lead - n_timesteps
        x = nn.functional.pad(x, (0, 0, self.lead if before is None else 0, padding))
        x = x if before is None else torch.cat([before, x], dim=1)
        patches = x.unfold(1, self.length, self.stride)  # (batch, n_patches, n_features, length)
        return patches.flatten(2), lengths
