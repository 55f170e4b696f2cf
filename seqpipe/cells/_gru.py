"""Gated recurrent unit (Cho et al., 2014, arXiv:1406.1078), as in ``torch.nn.GRU``."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.cells._gates import GatedCell

__all__ = ["GRUCell"]


class GRUCell(GatedCell):
    """Reset and update gate, and a candidate whose reset gate is applied after the recurrent matrix product."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, n_gates=3)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, 3 * hidden_size) and h (batch, hidden_size) to (output, new h)."""
        x_r, x_z, x_n = x_t.chunk(3, dim=-1)
        h_r, h_z, h_n = self.recur(h).chunk(3, dim=-1)
        r = torch.sigmoid(x_r + h_r)
        z = torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        h = (1 - z) * n + z * h
        return h, h

    def torch_kernel(self) -> str:
        """Return the name of the torch kernel."""
        return "gru"
