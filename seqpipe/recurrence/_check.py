"""Checks of what a cell's step and initial state return, which tell a broken cell from bad data."""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CellError
from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence.contents import cell_tensors, copy_or_itself, device_and_type

__all__ = ["check_initial_state", "check_results", "check_step"]


def check_step(cell: Cell) -> None:
    """Take one step on a batch of two samples and check the result.

    Raises
    ------
    CellError
        If it is not a cell, or its step or initial state raises, does not return (output, state), changes shape or
        dtype, or returns values that are not finite.
    """
    if not isinstance(cell, Cell):
        raise CellError(f"A cell must be an instance of a subclass of seqpipe.Cell. Got {cell!r:.60} instead.")
    if "_parameters" not in vars(cell):
        raise CellError(f"{type(cell).__name__}.__init__ must call super().__init__(input_size, hidden_size) first.")
    device, dtype = device_and_type(cell_tensors(cell))
    x = torch.linspace(-1, 1, 2 * cell.input_size, dtype=dtype, device=device).view(2, 1, -1)
    with torch.no_grad(), forked_generators():
        copy = copy_or_itself(cell)
        before = _initial_state(copy)
        output, after = _step(copy, x, before)
    _check_tensor(cell, "output", output, (2, cell.output_size), dtype)
    old, new = state_tensors(before), state_tensors(after)
    if isinstance(before, tuple) != isinstance(after, tuple) or len(old) != len(new):
        raise CellError(f"{type(cell).__name__}.step must return a state built as initial_state builds it.")
    for i, (a, b) in enumerate(zip(old, new)):
        _check_tensor(cell, f"state tensor {i}", b, tuple(a.shape), a.dtype)


def check_initial_state(cell: Cell, state: State, batch_size: int) -> None:
    """Check that a cell's initial state has one row per sample; called before every run, so it is quick.

    Raises
    ------
    CellError
        If it contains anything but tensors, or a tensor has another number of rows.
    """
    for i, tensor in enumerate(state_tensors(state)):
        if not isinstance(tensor, Tensor) or not tensor.ndim or tensor.shape[0] != batch_size:
            found = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise CellError(
                f"{type(cell).__name__}.initial_state must return a tensor of shape (batch, …), or a tuple of such; "
                f"for a batch of {batch_size} its tensor {i} is {found}."
            )


def check_results(cell: Cell, result: object, state: State, batch_size: int) -> None:
    """Check the result of one step; called by the plain loop at every step, so it is quick.

    Raises
    ------
    CellError
        If it is not (output, state), or a tensor's shape does not match the batch and the previous state.
    """
    name = type(cell).__name__
    if not isinstance(result, tuple) or len(result) != 2:
        raise CellError(f"{name}.step must return (output, state), got {type(result).__name__}.")
    output, new = result
    if not isinstance(output, Tensor) or output.shape != (batch_size, cell.output_size):
        raise CellError(_shape_error(name, "output", output, (batch_size, cell.output_size), batch_size))
    if isinstance(state, tuple) != isinstance(new, tuple) or (isinstance(state, tuple) and len(state) != len(new)):
        raise CellError(f"{name}.step must return a state built as initial_state builds it.")
    for i, (old, now) in enumerate(zip(state_tensors(state), state_tensors(new))):
        if not isinstance(now, Tensor) or now.shape != old.shape:
            raise CellError(_shape_error(name, f"state tensor {i}", now, tuple(old.shape), batch_size))


def _initial_state(cell: Cell) -> State:
    name = type(cell).__name__
    try:
        state = cell.initial_state(2)
    except Exception as error:
        raise CellError(f"{name}.initial_state fails: {type(error).__name__}: {error}") from error
    check_initial_state(cell, state, 2)
    return state


def _step(cell: Cell, x: Tensor, state: State) -> tuple[Tensor, State]:
    name = type(cell).__name__
    try:
        projected = cell.project(x)
        if isinstance(projected, Tensor):
            result = cell.step(projected[:, 0], state)
    except Exception as error:
        raise CellError(
            f"{name} fails on an input of shape {tuple(x.shape)}: {type(error).__name__}: {error}{_place(error)}"
        ) from error
    if not isinstance(projected, Tensor):
        raise CellError(f"{name}.project must return one tensor, got {type(projected).__name__}.")
    if not isinstance(result, tuple) or len(result) != 2:
        raise CellError(f"{name}.step must return (output, state), got {type(result).__name__}.")
    return result


def _place(error: Exception) -> str:
    """Return the last line outside torch that led to an error."""
    torch_folder = str(Path(torch.__file__).parent)
    frames = [frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith(torch_folder)]
    return f" (in {frames[-1].name}, {Path(frames[-1].filename).name}:{frames[-1].lineno})" if len(frames) > 1 else ""


def _check_tensor(cell: Cell, what: str, tensor: object, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    name = type(cell).__name__
    if not isinstance(tensor, Tensor) or tuple(tensor.shape) != shape:
        raise CellError(_shape_error(name, what, tensor, shape, 2))
    if tensor.dtype != dtype:
        raise CellError(
            f"{name}.step must keep the type {dtype}; its {what} is {tensor.dtype}.{_remedy(what, dtype, tensor)}"
        )
    if not torch.isfinite(tensor).all():
        raise CellError(f"{name}.step returns NaN or infinity in its {what} for inputs between -1 and 1.")


def _shape_error(name: str, what: str, found: object, shape: tuple[int, ...], batch_size: int) -> str:
    if not isinstance(found, Tensor):
        return f"{name}.step must return tensors; its {what} is {type(found).__name__}."
    return (
        f"{name}.step must return, as its {what}, shape {shape} for a batch of {batch_size}, got {tuple(found.shape)}."
    )


def _remedy(what: str, dtype: torch.dtype, tensor: Tensor) -> str:
    """Return what to do about a tensor of another type."""
    if what == "output" and tensor.is_complex() and not dtype.is_complex:
        return " Outputs are real: return the real part."
    if what != "output":
        return " Create the state in initial_state with the type that it keeps: that of the cell's parameters, or its complex form."
    return ""
