"""One trial step of a cell, so that a broken one is told apart from broken data."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CellError
from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence._states import state_tensors

__all__ = ["check_step"]


def check_step(cell: Cell) -> None:
    """Take one step on two rows of plain numbers and look at what comes back.

    Raises
    ------
    CellError
        If it is no cell, its step or initial state raises, does not return (output, state), changes shape or type, or gives values that are not finite.
    """
    if not isinstance(cell, Cell):
        raise CellError(f"A cell must be an instance of a subclass of seqpipe.Cell. Got {cell!r:.60} instead.")
    like = next(cell.parameters(), torch.empty(0))
    x = torch.linspace(-1, 1, 2 * cell.input_size, dtype=like.dtype, device=like.device).view(2, 1, -1)
    with torch.no_grad(), forked_generators():
        before = _initial_state(cell)
        output, after = _step(cell, x, before)
    _check_tensor(cell, "output", output, (2, cell.output_size), like.dtype)
    old, new = state_tensors(before), state_tensors(after)
    if isinstance(before, tuple) != isinstance(after, tuple) or len(old) != len(new):
        raise CellError(f"{type(cell).__name__}.step must return a state built as initial_state builds it.")
    for i, (a, b) in enumerate(zip(old, new)):
        _check_tensor(cell, f"state tensor {i}", b, tuple(a.shape), a.dtype)


def _initial_state(cell: Cell) -> State:
    name = type(cell).__name__
    try:
        state = cell.initial_state(2)
    except Exception as error:
        raise CellError(f"{name}.initial_state fails: {type(error).__name__}: {error}") from error
    for i, tensor in enumerate(state_tensors(state)):
        if not isinstance(tensor, Tensor) or tensor.shape[:1] != (2,):
            found = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise CellError(
                f"{name}.initial_state must return a tensor of shape (batch, …), or a tuple of such; "
                f"for a batch of 2 its tensor {i} is {found}."
            )
    return state


def _step(cell: Cell, x: Tensor, state: State) -> tuple[Tensor, State]:
    try:
        result = cell.step(cell.project(x)[:, 0], state)
    except Exception as error:
        raise CellError(
            f"{type(cell).__name__} fails on an input of shape {tuple(x.shape)}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(result, tuple) or len(result) != 2:
        raise CellError(f"{type(cell).__name__}.step must return (output, state), got {type(result).__name__}.")
    return result


def _check_tensor(cell: Cell, what: str, tensor: object, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    name = type(cell).__name__
    if not isinstance(tensor, Tensor):
        raise CellError(f"{name}.step must return tensors; its {what} is {type(tensor).__name__}.")
    if tuple(tensor.shape) != shape:
        raise CellError(
            f"{name}.step must return, as its {what}, shape {shape} for a batch of 2, got {tuple(tensor.shape)}."
        )
    if tensor.dtype != dtype:
        raise CellError(f"{name}.step must keep the type {dtype}; its {what} is {tensor.dtype}.")
    if not torch.isfinite(tensor).all():
        raise CellError(f"{name}.step gives NaN or infinity in its {what} on inputs between -1 and 1.")
