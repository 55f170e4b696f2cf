"""LSTM with peephole connections.

Gers and Schmidhuber, 2000, doi:10.1109/IJCNN.2000.861302; Gers, Schraudolph and Schmidhuber, 2002, JMLR 3:115-143. The
letters are those of Greff et al., 2015, arXiv:1503.04069.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqpipe
from seqpipe.cells import recurrent_init_

__all__ = ["PeepholeLSTMCell"]


class PeepholeLSTMCell(seqpipe.Cell):
    """An LSTM whose gates see the cell state: p is a weight per gate and unit.

    The peephole weights are initialised to 0, and the bias of the forget gate to 1.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.W = nn.Linear(input_size, 4 * hidden_size)
        self.R = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.p_i, self.p_f, self.p_o = (nn.Parameter(torch.zeros(hidden_size)) for _ in range(3))
        recurrent_init_(self.W.weight, self.R.weight)
        nn.init.zeros_(self.W.bias)
        nn.init.ones_(self.W.bias.detach().chunk(4)[2])

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return (y, c), zeros of shape (batch_size, hidden_size) each."""
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the input part of block input and gates, for all steps at once."""
        return self.W(x)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x_t (batch, 4 * hidden_size) and (y, c), each (batch, hidden_size), to (output, (y, c))."""
        y, c = state
        z, i, f, o = (x_t + self.R(y)).chunk(4, dim=-1)
        z = torch.tanh(z)
        i = torch.sigmoid(i + self.p_i * c)
        f = torch.sigmoid(f + self.p_f * c)
        c = z * i + c * f
        o = torch.sigmoid(o + self.p_o * c)
        y = torch.tanh(c) * o
        return y, (y, c)
