"""Simple recurrent unit (Lei et al., 2018, arXiv:1709.02755), in version 1, whose gates do not read the state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqpipe

__all__ = ["SRUCell"]


class SRUCell(seqpipe.Cell):
    """A forget gate and a highway: c_t = f_t ⊙ c_{t-1} + (1 - f_t) ⊙ x̃_t, h_t = r_t ⊙ tanh(c_t) + (1 - r_t) ⊙ x_t.

    Both gates and x̃ = W x depend on x alone. If x has another number of features than h, a linear layer maps it in the
    second equation.

    Parameters
    ----------
    input_size : int
        Number of features per time step.
    hidden_size : int
        Number of features in the hidden state.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.W = nn.Linear(input_size, hidden_size, bias=False)
        self.W_f = nn.Linear(input_size, hidden_size)
        self.W_r = nn.Linear(input_size, hidden_size)
        same = input_size == hidden_size
        self.highway = nn.Identity() if same else nn.Linear(input_size, hidden_size, bias=False)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to x̃, f, r and x, each of hidden_size features."""
        f, r = torch.sigmoid(self.W_f(x)), torch.sigmoid(self.W_r(x))
        return torch.cat([self.W(x), f, r, self.highway(x)], dim=-1)

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return f and (1 - f) ⊙ x̃."""
        candidate, f, _, _ = x.chunk(4, dim=-1)
        return f, (1 - f) * candidate

    def linear_output(self, x: Tensor, states: Tensor) -> Tensor:
        """Map the gates and the states c to h."""
        _, _, r, x = x.chunk(4, dim=-1)
        return r * torch.tanh(states) + (1 - r) * x
