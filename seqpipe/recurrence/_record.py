"""Recording of the state after each time step."""

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
    """The states of one run of `Recurrent`, including later calls that continue from its state.

    Attributes
    ----------
    lengths : tensor of int64, shape (batch,)
        Number of valid steps of each row.
    states : list of list of State
        For each layer and direction, in the order of ``Recurrent.cells``, the states in the order in which they were
        computed, beginning with the initial state. In the padding they are meaningless.
    """

    lengths: Tensor
    states: list[list[State]] = field(repr=False)


@contextmanager
def recorded_states(recurrent: Recurrent) -> Iterator[list[RecordedRun]]:
    """Record the state of every layer after each step while the context is open.

    The layers run in the plain loop with ``memory="keep"``, so ``torch.autograd.grad(loss, states)`` gives the
    derivative with respect to the state after each step.

    Parameters
    ----------
    recurrent : Recurrent
        Its class and parameters stay unchanged.

    Yields
    ------
    runs : list of RecordedRun
        Gets a new item for each call that does not continue from a state.

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
    """Return the arguments of `Recurrent.forward` by position."""
    return x, lengths, state


@contextmanager
def _plain_loop(recurrent: Recurrent) -> Iterator[None]:
    """Run the layers in the plain loop and store all activations."""
    before = recurrent.engine, recurrent.memory
    recurrent.engine, recurrent.memory = "loop", "keep"
    try:
        yield
    finally:
        recurrent.engine, recurrent.memory = before


@contextmanager
def _recorded_steps(cell: Cell, k: int, runs: list[RecordedRun]) -> Iterator[None]:
    """Replace the step of one cell by one that also records the states."""
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
    """Return the tensor, or a copy that requires a gradient if it is floating-point."""
    if tensor.requires_grad or not tensor.is_floating_point():
        return tensor
    return tensor.detach().requires_grad_()
