"""Minimal gated recurrent unit that trains in parallel (Feng et al., 2024, arXiv:2410.01201)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqpipe.cells._cell import Cell

__all__ = ["MinGRUCell"]


class MinGRUCell(Cell):
    """A gate z and a candidate h̃ that do not depend on the state: h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ h̃_t."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to z before the sigmoid and h̃, (batch, n_timesteps, 2 * hidden_size)."""
        return self.input(x)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, 2 * hidden_size) and h (batch, hidden_size) to (output, new h)."""
        a, b = self.linear_coefficients(x_t)
        h = a * h + b
        return h, h

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 - z and z ⊙ h̃."""
        z, candidate = x.chunk(2, dim=-1)
        z = torch.sigmoid(z)
        return 1 - z, z * candidate
