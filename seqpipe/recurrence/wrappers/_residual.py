"""Residual connection between layers at each step (He et al., 2016, arXiv:1512.03385)."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn

from seqpipe.cells import Cell, State
from seqpipe.recurrence.wrappers._wrapper import Wrapper

__all__ = ["Residual"]


class Residual(Wrapper):
    """Add the input of a step to its output, through a learned linear map if their sizes differ.

    Parameters
    ----------
    cell : Cell
        Cell to wrap.

    Examples
    --------
    >>> import torch
    >>> from seqpipe import GRUCell, Recurrent
    >>> from seqpipe.recurrence.wrappers import Residual
    >>> deep = Recurrent(Residual(GRUCell(3, 8)), num_layers=4)
    >>> [type(cell.shortcut).__name__ for cell in deep.cells]
    ['Linear', 'Identity', 'Identity', 'Identity']
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        sizes, like = (cell.input_size, cell.output_size), self.like
        self.shortcut: nn.Module = nn.Identity()
        if sizes[0] != sizes[1]:
            self.shortcut = nn.Linear(*sizes, bias=False, dtype=like.dtype, device=like.device)

    @property
    def projected_shape(self) -> tuple[int, ...]:
        """Shape of one projected step: the inner cell's, flattened, and the shortcut."""
        return (prod(self.inner_shape) + self.output_size,)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the inner cell's projection, joined with the shortcut."""
        return self.with_features(self.cell.project(x), self.shortcut(x))

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the inner cell's step and add the shortcut to its output."""
        x_t, shortcut = self.split_features(x_t)
        output, state = self.cell.step(x_t, state)
        return output + shortcut, state
