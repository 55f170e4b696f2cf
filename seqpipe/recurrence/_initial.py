"""The state before the first step, learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell, State
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence.contents import first_states
from seqpipe.recurrence.wrappers._wrapper import innermost

__all__ = ["INITIAL_STATES", "LearnedState"]

#: What the parameter ``initial_state`` of `Recurrent` may be.
INITIAL_STATES = ("zeros", "learned")


class LearnedState(nn.Module):
    """One parameter for each tensor of floats in a cell's state, as it is before the first step.

    It begins as the cell's own. What wrappers add to the state, masks and memories, stays theirs.

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
        """Return a cell's initial state with the learned tensors in their places, expanded over the batch."""
        new = [self._learned(i, tensor) for i, tensor in enumerate(state_tensors(state))]
        return tuple(new) if isinstance(state, tuple) else new[0]

    def _learned(self, i: int, tensor: Tensor) -> Tensor:
        return self.tensors[str(i)].expand_as(tensor) if str(i) in self.tensors else tensor
