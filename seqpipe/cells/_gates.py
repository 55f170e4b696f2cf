"""Base class of cells whose gates are affine in input and state, with parameters named and stacked as in torch.nn."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells._cell import Cell, recurrent_init_

__all__ = ["GatedCell"]


class GatedCell(Cell):
    """A cell with ``weight_ih``, ``weight_hh``, ``bias_ih`` and ``bias_hh`` of ``n_gates`` stacked gates."""

    def __init__(self, input_size: int, hidden_size: int, n_gates: int) -> None:
        super().__init__(input_size, hidden_size)
        rows = n_gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih = nn.Parameter(torch.zeros(rows))
        self.bias_hh = nn.Parameter(torch.zeros(rows))
        recurrent_init_(self.weight_ih, self.weight_hh)

    def project(self, x: Tensor) -> Tensor:
        """Map x of shape (batch, n_timesteps, input_size) to the input part of all gates, including its bias."""
        return F.linear(x, self.weight_ih, self.bias_ih)

    def recur(self, h: Tensor) -> Tensor:
        """Map h of shape (batch, hidden_size) to the recurrent part of all gates, including its bias."""
        return F.linear(h, self.weight_hh, self.bias_hh)
