"""The valid steps of a right-padded batch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["ValidSteps", "check_lengths"]


def check_lengths(lengths: Any, batch_size: int, n_timesteps: int) -> Tensor:
    """Return a copy of ``lengths`` as an int64 tensor of shape (batch_size,) with values from 0 to ``n_timesteps``.

    It is always a copy because the backward pass reads it again, without bounds checks where it is compiled, and the
    caller may have changed the original by then.

    Raises
    ------
    InvalidSequencesError
        If the lengths are invalid; names the first invalid sample.
    """
    try:
        lengths = torch.as_tensor(lengths)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InvalidSequencesError(f"lengths must be integers, one per sample: {error}.") from error
    if lengths.shape != (batch_size,):
        raise InvalidSequencesError(
            f"A batch of {batch_size} needs lengths of shape ({batch_size},), got {tuple(lengths.shape)}."
        )
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise InvalidSequencesError(f"lengths count time steps and must be integers, got {lengths.dtype}.")
    lengths = lengths.to(torch.int64, copy=True)
    wrong = ((lengths < 0) | (lengths > n_timesteps)).nonzero()
    if len(wrong):
        i = int(wrong[0])
        raise InvalidSequencesError(f"The length of sample {i} must be from 0 to {n_timesteps}, got {int(lengths[i])}.")
    return lengths


@dataclass(frozen=True)
class ValidSteps:
    """The valid steps of a batch.

    Attributes
    ----------
    lengths : tensor of int64, shape (batch,)
        Number of valid steps of each row.
    n_timesteps : int
        Number of steps of the batch, padding included.
    shortest : int
        Length of the shortest row.
    """

    lengths: Tensor
    n_timesteps: int
    shortest: int

    @classmethod
    def of(cls, lengths: Tensor, n_timesteps: int, device: torch.device) -> ValidSteps:
        """Create it from checked lengths."""
        shortest = int(lengths.min()) if len(lengths) else n_timesteps
        return cls(lengths.to(device), n_timesteps, shortest)

    @cached_property
    def mask(self) -> Tensor:
        """Mask of the valid steps, of dtype bool and shape (batch, n_timesteps)."""
        return torch.arange(self.n_timesteps, device=self.lengths.device) < self.lengths[:, None]

    def rows(self, rows: slice) -> ValidSteps:
        """Return the valid steps of some rows, of as many time steps."""
        return ValidSteps.of(self.lengths[rows], self.n_timesteps, self.lengths.device)

    def between(self, start: int, stop: int) -> ValidSteps:
        """Return the valid steps of the slice of the batch from step ``start`` to ``stop``."""
        size = stop - start
        lengths = (self.lengths - start).clamp(0, size)
        return ValidSteps(lengths, size, min(max(self.shortest - start, 0), size))

    def clear(self, x: Tensor) -> Tensor:
        """Return x (batch, n_timesteps, …) with zeros in the padding."""
        return self.fill(x, 0)

    def fill(self, x: Tensor, value: float) -> Tensor:
        """Return x (batch, n_timesteps, …) with a value in the padding."""
        return x.masked_fill(~self.mask.view(*self.mask.shape, *[1] * (x.ndim - 2)), value)

    def reverse(self, x: Tensor) -> Tensor:
        """Return x (batch, n_timesteps, n_features) with each row's valid steps in reverse order."""
        t = torch.arange(x.shape[1], device=x.device)
        index = torch.where(self.mask, self.lengths[:, None] - 1 - t, t)
        return x.gather(1, index[:, :, None].expand_as(x))

    def last(self, x: Tensor, before: Tensor) -> Tensor:
        """Return x (batch, n_timesteps, n_features) at each row's last valid step, or ``before`` for empty rows."""
        index = (self.lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, x.shape[2])
        return torch.where((self.lengths > 0)[:, None], x.gather(1, index)[:, 0], before)
