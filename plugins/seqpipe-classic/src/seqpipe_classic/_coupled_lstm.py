"""LSTM with coupled input and forget gate, CIFG (Greff et al., 2015, arXiv:1503.04069)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqpipe
from seqpipe.cells import recurrent_init_

__all__ = ["CoupledLSTMCell"]


class CoupledLSTMCell(seqpipe.Cell):
    """A peephole LSTM that forgets as much as it takes in: f = 1 - i.

    The peephole weights are initialised to 0, and the bias of the input gate to -1, so that f begins near σ(1).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.W = nn.Linear(input_size, 3 * hidden_size)
        self.R = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.p_i, self.p_o = (nn.Parameter(torch.zeros(hidden_size)) for _ in range(2))
        recurrent_init_(self.W.weight, self.R.weight)
        nn.init.zeros_(self.W.bias)
        nn.init.constant_(self.W.bias.detach().chunk(3)[1], -1.0)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return (y, c), zeros of shape (batch_size, hidden_size) each."""
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the input part of block input and gates, for all steps at once."""
        return self.W(x)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x_t (batch, 3 * hidden_size) and (y, c), each (batch, hidden_size), to (output, (y, c))."""
        y, c = state
        z, i, o = (x_t + self.R(y)).chunk(3, dim=-1)
        i = torch.sigmoid(i + self.p_i * c)
        c = torch.tanh(z) * i + c * (1 - i)
        o = torch.sigmoid(o + self.p_o * c)
        y = torch.tanh(c) * o
        return y, (y, c)
