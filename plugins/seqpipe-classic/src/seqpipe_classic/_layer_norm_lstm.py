"""LSTM with layer normalization (Ba, Kiros and Hinton, 2016, arXiv:1607.06450)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqpipe
from seqpipe.cells import recurrent_init_

__all__ = ["LayerNormLSTMCell"]


class LayerNormLSTMCell(seqpipe.Cell):
    """An LSTM that normalizes the input part and the recurrent part of its gates, and its cell state.

    The paper adds three biases to the gates, of which only the sum matters: here it is that of the input part. For the
    forget gate it is initialised to 1.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.W_x = nn.Linear(input_size, 4 * hidden_size, bias=False)
        self.W_h = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.LN_x = nn.LayerNorm(4 * hidden_size)
        self.LN_h = nn.LayerNorm(4 * hidden_size, bias=False)
        self.LN_c = nn.LayerNorm(hidden_size)
        recurrent_init_(self.W_x.weight, self.W_h.weight)
        nn.init.ones_(self.LN_x.bias.detach().chunk(4)[0])

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return (h, c), zeros of shape (batch_size, hidden_size) each."""
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the normalized input part of the gates, for all steps at once."""
        return self.LN_x(self.W_x(x))

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x_t (batch, 4 * hidden_size) and (h, c), each (batch, hidden_size), to (output, (h, c))."""
        h, c = state
        f, i, o, g = (self.LN_h(self.W_h(h)) + x_t).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.LN_c(c))
        return h, (h, c)
