"""What `Recurrent` can be run on."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._states import state_tensors

__all__ = ["check_state", "check_x"]


def check_x(x: Any, cell: Cell) -> None:
    """Check that x is a batch for the cell that reads it.

    Raises
    ------
    TypeError
        If x is not a tensor of the type of the cell's parameters.
    ValueError
        If x has another number of dimensions or features, or no steps.
    """
    like = cell.first_tensor()
    dtype = None if like is None else like.dtype
    if not isinstance(x, Tensor) or x.dtype != (dtype or x.dtype):
        found = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"Recurrent takes x as a tensor of {dtype or 'numbers'}, the cell's own type. Got {found}.")
    if x.ndim != 3 or x.shape[2] != cell.input_size or x.shape[1] == 0:
        raise ValueError(
            f"Recurrent takes x of shape (batch, n_timesteps, {cell.input_size}) with n_timesteps from 1, "
            f"got {tuple(x.shape)}."
        )


def check_state(state: State, shapes: list[tuple[int, ...]], n_cells: int, batch_size: int) -> None:
    """Check that a given state is one of ``n_cells`` cells over the batch, a sample's being of these shapes.

    Raises
    ------
    ValueError
        Otherwise; shows the shapes.
    """
    expected = [(n_cells, batch_size, *shape) for shape in shapes]
    tensors = state_tensors(state)
    found = [tuple(t.shape) if isinstance(t, Tensor) else type(t).__name__ for t in tensors]
    if found != expected:
        raise ValueError(f"The state of this batch has tensors of shapes {expected}, got {found}.")
