"""Elman network (Elman, 1990, doi:10.1207/s15516709cog1402_1), as in ``torch.nn.RNN``."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.cells._gates import GatedCell

__all__ = ["RNNCell"]

_ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


class RNNCell(GatedCell):
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

    Parameters
    ----------
    input_size, hidden_size : int
        Number of features per time step, and in the hidden state.
    activation : {"tanh", "relu", "sigmoid"}, default="tanh"
        Activation function f.

    Raises
    ------
    ValueError
        If the activation is not one of these.
    """

    def __init__(self, input_size: int, hidden_size: int, activation: str = "tanh") -> None:
        super().__init__(input_size, hidden_size, n_gates=1)
        if activation not in list(_ACTIVATIONS):
            raise ValueError(
                f"The 'activation' parameter of RNNCell must be one of {sorted(_ACTIVATIONS)}. Got {activation!r} instead."
            )
        self.activation = activation

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t and h, each (batch, hidden_size), to (output, new h)."""
        h = _ACTIVATIONS[self.activation](x_t + self.recur(h))
        return h, h

    def torch_kernel(self) -> str | None:
        """Return the name of the torch kernel; None for sigmoid, which torch does not implement."""
        return None if self.activation == "sigmoid" else f"rnn_{self.activation}"
