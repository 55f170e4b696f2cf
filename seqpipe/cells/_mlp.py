"""A network as transition: the deep transition of Pascanu et al. (2014, arXiv:1312.6026), three layers deep."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells._cell import Cell

__all__ = ["MLPCell"]


class MLPCell(Cell):
    """h_t = W_3 φ(W_2 φ(W_1 [x_t, h_{t-1}] + b_1) + b_2) + b_3 with φ = LeakyReLU."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.first = nn.Linear(input_size + hidden_size, hidden_size)
        self.second = nn.Linear(hidden_size, hidden_size)
        self.third = nn.Linear(hidden_size, hidden_size)

    def project(self, x: Tensor) -> Tensor:
        """Map x of shape (batch, n_timesteps, input_size) to the contribution of x_t to W_1 [x_t, h_{t-1}] + b_1."""
        return F.linear(x, self.first.weight[:, : self.input_size], self.first.bias)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t and h, each (batch, hidden_size), to (output, new h)."""
        a = F.leaky_relu(x_t + F.linear(h, self.first.weight[:, self.input_size :]))
        h = self.third(F.leaky_relu(self.second(a)))
        return h, h
