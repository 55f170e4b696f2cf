"""A cell with an input that marks valid steps, so that lengths are data and not sizes."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence.engines import hold

__all__ = ["MaskedCell", "with_mask"]


class MaskedCell(Cell):
    """Takes a step for rows whose last feature is 1, and keeps the state of rows where it is 0."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell.input_size + 1, cell.hidden_size)
        self.cell = cell
        self.training = cell.training

    @property
    def output_size(self) -> int:
        """Number of features of the cell's output."""
        return self.cell.output_size

    def initial_state(self, batch_size: int) -> State:
        """Return the cell's initial state."""
        return self.cell.initial_state(batch_size)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the cell's step; the outputs of rows past their end are undefined."""
        output, new = self.cell.step(self.cell.project(x_t[:, None, :-1])[:, 0], state)
        return output, hold(x_t[:, -1] > 0.5, new, state)


def with_mask(x: Tensor, lengths: Tensor) -> Tensor:
    """Return x of shape (batch, n_timesteps, n_features) with the mask feature of `MaskedCell` appended."""
    running = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
    return torch.cat([x, running[:, :, None].to(x.dtype)], dim=2)
