"""Real-gated linear recurrent unit (De et al., 2024, arXiv:2402.19427), equations 1 to 4."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seqpipe

__all__ = ["RGLRUCell"]

#: The constant c of equation 3.
_C = 8.0


class RGLRUCell(seqpipe.Cell):
    """A decay a that a gate r controls: h_t = a_t ⊙ h_{t-1} + √(1 - a_t²) ⊙ (i_t ⊙ x_t), a_t = σ(Λ)^(c r_t).

    As in the block of the paper, x is the input after a linear layer, of hidden_size features.

    Parameters
    ----------
    input_size : int
        Number of features per time step.
    hidden_size : int
        Number of features in the hidden state.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.gates = nn.Linear(hidden_size, 2 * hidden_size)
        decay = torch.empty(hidden_size).uniform_(0.9, 0.999) ** (1 / _C)  # a^c is drawn from this range
        self.Lambda = nn.Parameter(torch.logit(decay))

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to r and i before the sigmoid, and x after the linear layer."""
        x = self.input(x)
        return torch.cat([self.gates(x), x], dim=-1)

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and √(1 - a²) ⊙ (i ⊙ x)."""
        r, i, x = x.chunk(3, dim=-1)
        log_a = _C * torch.sigmoid(r) * F.logsigmoid(self.Lambda)
        rest = -torch.expm1(2 * log_a)
        root = torch.sqrt(rest.clamp(min=1e-12))  # at 0 the root has no derivative
        return torch.exp(log_a), root * (torch.sigmoid(i) * x)
