"""The sizes of one run along time, which determine the fastest engine."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.contents import contents_in_run
from seqpipe.recurrence.engines._threads import n_threads

__all__ = ["Sizes"]


@dataclass(frozen=True)
class Sizes:
    """The quantities that determine a run's speed, besides the cell.

    Attributes
    ----------
    batch : int
        Number of rows.
    n_timesteps : int
        Number of steps of the longest row.
    training : bool
        Whether gradients are required.
    threads, torch_threads : int
        Number of threads that an engine and that torch may use.
    valid : float
        Fraction of the steps that are not padding.
    """

    batch: int
    n_timesteps: int
    training: bool
    threads: int
    torch_threads: int
    valid: float = 1.0

    @classmethod
    def now(cls, batch: int, n_timesteps: int, *, training: bool, valid: float = 1.0) -> Sizes:
        """Return sizes with the current numbers of threads."""
        return cls(batch, n_timesteps, training, n_threads(), torch.get_num_threads(), valid)

    @classmethod
    def of(cls, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> Sizes:
        """Return the sizes of a call of `Engine.run`."""
        batch, n_timesteps = x.shape[:2]
        tensors = (x, *state_tensors(state), *contents_in_run(cell).tensors.values())
        training = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
        share = 1.0
        if valid is not None and x.device.type == "cpu" and batch:  # elsewhere the sum would synchronise the device
            share = int(valid.lengths.sum()) / (batch * n_timesteps)
        return cls.now(batch, n_timesteps, training=training, valid=share)
