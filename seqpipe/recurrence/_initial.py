"""Learned initial states."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell, State
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence.contents import first_states
from seqpipe.recurrence.wrappers._wrapper import innermost

__all__ = ["INITIAL_STATES", "LearnedState"]

#: Valid values of the ``initial_state`` parameter of `Recurrent`.
INITIAL_STATES = ("zeros", "learned")


class LearnedState(nn.Module):
    """Learn the initial value of each floating-point tensor in a cell's state.

    The parameters start from the cell's own initial state. State tensors added by wrappers (masks, memories) are not
    learned.

    Parameters
    ----------
    cell : Cell
        The cell, wrapped or not.
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        with torch.no_grad():
            before = state_tensors(first_states(innermost(cell), 1))
        self.tensors = nn.ParameterDict(
            {str(i): nn.Parameter(t[0].clone()) for i, t in enumerate(before) if t.is_floating_point()}
        )

    def forward(self, state: State) -> State:
        """Return an initial state with its tensors replaced by the learned ones, expanded over the batch."""
        new = [self._learned(i, tensor) for i, tensor in enumerate(state_tensors(state))]
        return tuple(new) if isinstance(state, tuple) else new[0]

    def _learned(self, i: int, tensor: Tensor) -> Tensor:
        return self.tensors[str(i)].expand_as(tensor) if str(i) in self.tensors else tensor
