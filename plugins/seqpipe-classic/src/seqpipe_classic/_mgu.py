"""Minimal gated unit (Zhou et al., 2016, arXiv:1603.09420)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqpipe

__all__ = ["MGUCell"]


class MGUCell(seqpipe.Cell):
    """A GRU with a single gate that both forgets and resets."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recur_f = nn.Linear(hidden_size, hidden_size, bias=False)
        self.recur_c = nn.Linear(hidden_size, hidden_size, bias=False)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the input part of gate and candidate, for all steps at once."""
        return self.input(x)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, 2 * hidden_size) and h (batch, hidden_size) to (output, new h)."""
        x_f, x_c = x_t.chunk(2, dim=-1)
        f = torch.sigmoid(x_f + self.recur_f(h))
        c = torch.tanh(x_c + self.recur_c(f * h))
        h = (1 - f) * h + f * c
        return h, h
