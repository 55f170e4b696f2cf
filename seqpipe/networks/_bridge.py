"""`Bridge`: maps a vector to the initial state of recurrent layers."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell, State
from seqpipe.recurrence import Recurrent, stack_states, state_tensors
from seqpipe.recurrence.wrappers import innermost

__all__ = ["Bridge", "state_size", "state_vector"]


class Bridge(nn.Module):
    """One linear map per floating-point tensor in the state of the cells, so that any cell can start from any vector.

    The state that wrappers add, such as masks and memories, is initialised as usual.

    Parameters
    ----------
    input_size : int
        Number of features of the vector.
    recurrent : Recurrent
        The layers whose state is initialised.
    """

    def __init__(self, input_size: int, recurrent: Recurrent) -> None:
        super().__init__()
        self.maps = nn.ModuleDict(
            {
                str(i): nn.Linear(input_size, len(recurrent.cells) * prod(tensor.shape[1:]))
                for i, tensor in enumerate(_own_state(recurrent))
                if tensor.is_floating_point()
            }
        )

    def forward(self, x: Tensor, recurrent: Recurrent) -> State:
        """Map x (batch, input_size) to the initial state of the layers, tensors of shape (n_cells, batch, …)."""
        state = stack_states([cell.initial_state(len(x)) for cell in _cells(recurrent)])
        new = tuple(self._mapped(str(i), x, tensor) for i, tensor in enumerate(state_tensors(state)))
        return new if isinstance(state, tuple) else new[0]

    def _mapped(self, name: str, x: Tensor, tensor: Tensor) -> Tensor:
        if name not in self.maps:
            return tensor
        mapped: Tensor = self.maps[name](x)
        return mapped.view(len(x), tensor.shape[0], *tensor.shape[2:]).transpose(0, 1)


def state_size(recurrent: Recurrent) -> int:
    """Return the length of the vectors that `state_vector` returns."""
    own = (tensor for tensor in _own_state(recurrent) if tensor.is_floating_point())
    return len(recurrent.cells) * sum(prod(tensor.shape[1:]) for tensor in own)


def state_vector(state: State, recurrent: Recurrent) -> Tensor:
    """Return the state of all cells, without the state of wrappers, as one vector per row, (batch, n_features)."""
    own = state_tensors(state)[: len(_own_state(recurrent))]
    return torch.cat([tensor.transpose(0, 1).flatten(1) for tensor in own if tensor.is_floating_point()], dim=1)


def _own_state(recurrent: Recurrent) -> tuple[Tensor, ...]:
    """Return one row of the state of the innermost cell: its tensors come first in the state of the wrapped cell."""
    with torch.no_grad():
        return state_tensors(innermost(_cells(recurrent)[0]).initial_state(1))


def _cells(recurrent: Recurrent) -> list[Cell]:
    return [cell for cell in recurrent.cells if isinstance(cell, Cell)]
