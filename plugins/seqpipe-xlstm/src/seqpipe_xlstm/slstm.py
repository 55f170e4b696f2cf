"""sLSTM (Beck et al., 2024, arXiv:2405.04517), section 2.2, with the stabilised gates of equations 15 to 17."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seqpipe
from seqpipe_xlstm._heads import head_size

__all__ = ["SLSTMCell"]

State = tuple[Tensor, Tensor, Tensor, Tensor]


class SLSTMCell(seqpipe.Cell):
    """An LSTM with an exponential input gate: c_t = f c_{t-1} + i z, n_t = f n_{t-1} + i, h_t = o ⊙ c_t / n_t.

    The forget gate is a sigmoid. The stabiliser m keeps the exponents of both gates at 0 or below. h of a head enters the
    gates of that head alone.

    Parameters
    ----------
    input_size : int
        Number of features per time step.
    hidden_size : int
        Number of features in the hidden state.
    num_heads : int, default=1
        Number of heads.

    Raises
    ------
    ValueError
        If num_heads does not divide hidden_size.
    """

    def __init__(self, input_size: int, hidden_size: int, num_heads: int = 1) -> None:
        super().__init__(input_size, hidden_size)
        d = head_size(hidden_size, num_heads, "SLSTMCell")
        self.num_heads = num_heads
        self.W = nn.Linear(input_size, 4 * hidden_size)
        self.R = nn.Parameter(torch.empty(num_heads, d, 4 * d).uniform_(-1 / math.sqrt(d), 1 / math.sqrt(d)))
        with torch.no_grad():
            self.W.bias.chunk(4)[1].copy_(torch.linspace(3, 6, hidden_size))  # forget gate, as in the reference code

    def initial_state(self, batch_size: int) -> State:
        """Return zeros (batch_size, hidden_size) for h, c, n and m."""
        h, c, n, m = self.R.new_zeros(4, batch_size, self.hidden_size)
        return h, c, n, m

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to W x + b of i, f, z and o."""
        projected: Tensor = self.W(x)
        return projected

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Map x_t (batch, 4 * hidden_size) and the state to h and the new state."""
        h, c, n, m = state
        heads = torch.einsum("bnd,nde->bne", h.unflatten(1, (self.num_heads, -1)), self.R)
        recurrent = heads.unflatten(2, (4, -1)).transpose(1, 2).flatten(1)  # gates by heads
        i, f, z, o = (x_t + recurrent).chunk(4, dim=1)
        log_f = F.logsigmoid(f)
        m_t = torch.where(n == 0, i, torch.maximum(log_f + m, i))  # before the first step nothing is stored
        i, f = torch.exp(i - m_t), torch.exp((log_f + m - m_t).clamp(max=0))
        c = f * c + i * torch.tanh(z)
        n = f * n + i
        h = torch.sigmoid(o) * (c / n)
        return h, (h, c, n, m_t)
