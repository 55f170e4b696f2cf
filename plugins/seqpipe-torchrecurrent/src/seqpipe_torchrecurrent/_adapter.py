"""A cell of torchrecurrent as a cell of seqpipe (Martinuzzi, 2025, arXiv:2510.21252)."""

from __future__ import annotations

from typing import Any, ClassVar

import torchrecurrent
from torch import Tensor, nn
from torchrecurrent.base import DecoupledDoubleStateCellBase, DecoupledSingleStateCellBase

import seqpipe
from seqpipe.cells import State

__all__ = ["TorchRecurrentCell"]

#: These return the output and the state; all others the state, whose first or only tensor is the output.
_DECOUPLED = (DecoupledDoubleStateCellBase, DecoupledSingleStateCellBase)
#: The output or the state of these has as many features as the input.
_AS_WIDE_AS_THE_INPUT = (torchrecurrent.IntersectionRNNCell, torchrecurrent.TGRUCell, torchrecurrent.TLSTMCell)


class TorchRecurrentCell(seqpipe.Cell):
    """Base class of the cells; subclasses name the class that they adapt.

    If that class keeps inputs in its output or state, an input of another size than hidden_size is first mapped to
    hidden_size features by a linear layer, so that layers can be stacked.

    Parameters
    ----------
    input_size, hidden_size : int
        Number of features per time step, and in the hidden state.
    **settings
        Further arguments of the class, such as ``nonlinearity="relu"``.
    """

    adapted: ClassVar[type[nn.Module]]

    def __init__(self, input_size: int, hidden_size: int, **settings: Any) -> None:
        super().__init__(input_size, hidden_size)
        mapped = issubclass(self.adapted, _AS_WIDE_AS_THE_INPUT) and input_size != hidden_size
        self.input = nn.Linear(input_size, hidden_size) if mapped else nn.Identity()
        self.cell = self.adapted(hidden_size if mapped else input_size, hidden_size, **settings)

    def initial_state(self, batch_size: int) -> State:
        """Return zeros of shape (batch_size, hidden_size), or a tuple of two."""
        zeros = super().initial_state(batch_size)
        return (zeros, zeros.clone()) if self.cell.uses_double_state() else zeros

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the input of the adapted cell."""
        return self.input(x)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Map x_t (batch, input_size) and the state to (output, new state)."""
        result = self.cell(x_t, state)
        if isinstance(self.cell, _DECOUPLED):
            return result
        return (result[0] if isinstance(result, tuple) else result), result
