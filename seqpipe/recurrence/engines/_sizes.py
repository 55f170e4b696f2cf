"""The sizes of one run along time, by which the engine that is fastest for them is chosen."""

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
    """What a run's speed depends on, besides the cell.

    Attributes
    ----------
    batch : int
        Rows.
    n_timesteps : int
        Steps of the longest row.
    training : bool
        Whether gradients are wanted.
    threads, torch_threads : int
        Threads that an engine, and that torch may use.
    valid : float
        Share of the steps that are no padding.
    """

    batch: int
    n_timesteps: int
    training: bool
    threads: int
    torch_threads: int
    valid: float = 1.0

    @classmethod
    def now(cls, batch: int, n_timesteps: int, *, training: bool, valid: float = 1.0) -> Sizes:
        """Return sizes with the threads that may be used now."""
        return cls(batch, n_timesteps, training, n_threads(), torch.get_num_threads(), valid)

    @classmethod
    def of(cls, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> Sizes:
        """Return those of a run of `Engine.run`."""
        batch, n_timesteps = x.shape[:2]
        tensors = (x, *state_tensors(state), *contents_in_run(cell).tensors.values())
        training = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
        share = 1.0
        if valid is not None and x.device.type == "cpu" and batch:  # elsewhere the sum would wait for the device
            share = int(valid.lengths.sum()) / (batch * n_timesteps)
        return cls.now(batch, n_timesteps, training=training, valid=share)
