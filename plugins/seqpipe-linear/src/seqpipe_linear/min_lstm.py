"""minLSTM (Feng et al., 2024, arXiv:2410.01201), section 3.2."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seqpipe

__all__ = ["MinLSTMCell"]


class MinLSTMCell(seqpipe.Cell):
    """An LSTM whose gates f and i and candidate h̃ depend on x alone: h_t = f'_t ⊙ h_{t-1} + i'_t ⊙ h̃_t.

    The gates are normalised, f' = f / (f + i) and i' = i / (f + i), with sigmoids f and i.

    Parameters
    ----------
    input_size : int
        Number of features per time step.
    hidden_size : int
        Number of features in the hidden state.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 3 * hidden_size)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to f and i before the sigmoid, and h̃."""
        projected: Tensor = self.input(x)
        return projected

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return f' and i' ⊙ h̃."""
        f, i, candidate = x.chunk(3, dim=-1)
        ratio = F.logsigmoid(f) - F.logsigmoid(i)  # log f / i, finite where both gates are 0
        return torch.sigmoid(ratio), torch.sigmoid(-ratio) * candidate
