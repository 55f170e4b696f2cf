"""Checks of the input and state passed to `Recurrent`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._states import state_tensors

__all__ = ["check_state", "check_x"]


def check_x(x: Any, cell: Cell) -> None:
    """Check that x is a valid input batch for a cell.

    Raises
    ------
    TypeError
        If x is not a tensor of the dtype of the cell's parameters.
    ValueError
        If x has another number of dimensions or features, or no time steps.
    """
    like = cell.first_tensor()
    dtype = None if like is None else like.dtype
    if not isinstance(x, Tensor) or x.dtype != (dtype or x.dtype):
        found = x.dtype if isinstance(x, Tensor) else type(x).__name__
        expected = "a tensor" if dtype is None else f"a tensor of {dtype}, the dtype of the cell's parameters"
        raise TypeError(f"The input of Recurrent must be {expected}. Got {found} instead.")
    if x.ndim != 3 or x.shape[2] != cell.input_size or x.shape[1] == 0:
        raise ValueError(
            f"The input of Recurrent must have shape (batch, n_timesteps, {cell.input_size}) with n_timesteps >= 1. "
            f"Got {tuple(x.shape)} instead."
        )


def check_state(state: State, shapes: list[tuple[int, ...]], n_cells: int, batch_size: int) -> None:
    """Check the shapes of a given state.

    Parameters
    ----------
    state : State
    shapes : list of tuple of int
        Shapes of the state of one sample in one cell, tensor by tensor.
    n_cells : int
        Number of layers times directions.
    batch_size : int

    Raises
    ------
    ValueError
        If the shapes differ from ``(n_cells, batch_size, *shape)``.
    """
    expected = [(n_cells, batch_size, *shape) for shape in shapes]
    tensors = state_tensors(state)
    found = [tuple(t.shape) if isinstance(t, Tensor) else type(t).__name__ for t in tensors]
    if found != expected:
        raise ValueError(f"The state for this batch must have tensors of shapes {expected}. Got {found} instead.")
