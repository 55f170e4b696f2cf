"""The state after each step, kept while any network runs its recurrent layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._recurrent import Recurrent
from seqpipe.recurrence._states import map_state

__all__ = ["RecordedRun", "recorded_states"]


@dataclass
class RecordedRun:
    """What `Recurrent` went through from its first step on; a call that goes on from a state is part of it.

    Attributes
    ----------
    lengths : tensor of int64, shape (batch,)
        Valid steps of each row.
    states : list of list of State
        For each layer and direction, as ``Recurrent.cells`` orders them, the states in the order in which they were
        reached: first the one before any step. In the padding they mean nothing.
    """

    lengths: Tensor
    states: list[list[State]] = field(repr=False)


@contextmanager
def recorded_states(recurrent: Recurrent) -> Iterator[list[RecordedRun]]:
    """Keep the states that the layers go through while the context is open.

    The plain loop runs them, with what it needs for the way back kept, so that
    ``torch.autograd.grad(loss, states)`` is the derivative by the state after each step.

    Parameters
    ----------
    recurrent : Recurrent
        Its class and parameters stay as they are.

    Yields
    ------
    runs : list of RecordedRun
        Grows with each call that does not go on from a state.

    Examples
    --------
    >>> import torch
    >>> from seqpipe import GRUCell, Recurrent
    >>> gru = Recurrent(GRUCell(3, 5))
    >>> with recorded_states(gru) as runs:
    ...     outputs, _ = gru(torch.zeros(2, 7, 3))
    >>> len(runs[0].states[0]), runs[0].states[0][7].shape
    (8, torch.Size([2, 5]))
    """
    runs: list[RecordedRun] = []
    n_cells = len(recurrent.cells)

    def begin(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        x, lengths, state = _arguments(*args, **kwargs)
        lengths = torch.full((len(x),), x.shape[1]) if lengths is None else torch.as_tensor(lengths)
        if state is None or not runs or len(runs[-1].lengths) != len(lengths):
            runs.append(RecordedRun(lengths, [[] for _ in range(n_cells)]))
        else:
            runs[-1].lengths = runs[-1].lengths + lengths

    with ExitStack() as stack:
        stack.enter_context(_plain_loop(recurrent))
        stack.callback(recurrent.register_forward_pre_hook(begin, with_kwargs=True).remove)
        for k, cell in enumerate(recurrent.cells):
            assert isinstance(cell, Cell)
            stack.enter_context(_recorded_steps(cell, k, runs))
        yield runs


def _arguments(x: Tensor, lengths: Any = None, state: State | None = None) -> tuple[Tensor, Any, State | None]:
    """Return the arguments of `Recurrent.forward` in its order."""
    return x, lengths, state


@contextmanager
def _plain_loop(recurrent: Recurrent) -> Iterator[None]:
    """Let no engine but the loop run the layers, and nothing be thrown away that the way back needs."""
    before = recurrent.engine, recurrent.memory
    recurrent.engine, recurrent.memory = "loop", "keep"
    try:
        yield
    finally:
        recurrent.engine, recurrent.memory = before


@contextmanager
def _recorded_steps(cell: Cell, k: int, runs: list[RecordedRun]) -> Iterator[None]:
    """Put a step that keeps the states before the cell's own, on this one cell and for a while."""
    own_step = cell.step

    def step(x_t: Tensor, state: State) -> tuple[Tensor, State]:
        kept = runs[-1].states[k]
        if not kept:
            state = map_state(_differentiable, state)
            kept.append(state)
        output, new = own_step(x_t, state)
        kept.append(new)
        return output, new

    cell.step = step  # type: ignore[method-assign]
    try:
        yield
    finally:
        del cell.step


def _differentiable(tensor: Tensor) -> Tensor:
    """Return a tensor that a derivative can be taken by."""
    if tensor.requires_grad or not tensor.is_floating_point():
        return tensor
    return tensor.detach().requires_grad_()
