"""Sizes of the benchmarks, and cells as in plug-ins, with a plain `step` only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seqpipe import Cell

__all__ = [
    "MGU", "MLP", "PLUGINS", "PROBLEMS", "TINY", "CoupledLSTM", "MinGRU", "PeepholeLSTM", "Problem", "ProjectedMinGRU",
    "log_normal_lengths",
]  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """Sizes of one training step."""

    batch: int
    steps: int
    inputs: int
    hidden: int
    layers: int = 1


PROBLEMS = {
    "A": Problem(32, 100, 16, 64),
    "B": Problem(64, 20, 1, 100),
    "C": Problem(128, 28, 28, 150),
    "D": Problem(32, 200, 64, 300, 3),
    "E": Problem(16, 1000, 32, 128),
}
#: Tiny sizes for tests, under the same letters.
TINY = {
    "A": Problem(3, 5, 2, 4),
    "B": Problem(4, 3, 1, 5),
    "C": Problem(5, 4, 3, 6),
    "D": Problem(3, 6, 2, 5, 3),
    "E": Problem(2, 9, 3, 4),
}


def log_normal_lengths(n: int, longest: int = 500) -> NDArray[np.int64]:
    """Return n lengths, log-normal with a mean near 62 before they are clipped at ``longest``."""
    rng = np.random.default_rng(0)
    return np.clip(np.exp(rng.normal(np.log(62) - 0.32, 0.8, size=n)).round(), 1, longest).astype(np.int64)


class PeepholeLSTM(Cell):
    """An LSTM whose gates see the cell state (Gers and Schmidhuber, 2000, doi:10.1109/IJCNN.2000.861302)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recur = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.p_i = nn.Parameter(0.1 * torch.randn(hidden_size))
        self.p_f = nn.Parameter(0.1 * torch.randn(hidden_size))
        self.p_o = nn.Parameter(0.1 * torch.randn(hidden_size))

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return (h, c), zeros of shape (batch_size, hidden_size) each."""
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x_t (batch, input_size) and (h, c), each (batch, hidden_size), to (output, (h, c))."""
        h, c = state
        i, f, g, o = (self.input(x_t) + self.recur(h)).chunk(4, dim=-1)
        i = torch.sigmoid(i + self.p_i * c)
        f = torch.sigmoid(f + self.p_f * c)
        c = f * c + i * torch.tanh(g)
        h = torch.sigmoid(o + self.p_o * c) * torch.tanh(c)
        return h, (h, c)


class MLP(Cell):
    """A three-layer network as transition (Pascanu et al., 2014, arXiv:1312.6026)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.first = nn.Linear(input_size + hidden_size, hidden_size)
        self.second = nn.Linear(hidden_size, hidden_size)
        self.third = nn.Linear(hidden_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, input_size) and h (batch, hidden_size) to (output, new h)."""
        a = torch.relu(self.first(torch.cat([x_t, h], dim=-1)))
        a = torch.relu(self.second(a))
        h = torch.tanh(self.third(a))
        return h, h


class MinGRU(Cell):
    """A gate and a candidate that do not see the state (Feng et al., 2024, arXiv:2410.01201)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gate = nn.Linear(input_size, hidden_size)
        self.candidate = nn.Linear(input_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, input_size) and h (batch, hidden_size) to (output, new h)."""
        z = torch.sigmoid(self.gate(x_t))
        h = (1 - z) * h + z * self.candidate(x_t)
        return h, h


class MGU(Cell):
    """A GRU whose single gate forgets and resets (Zhou et al., 2016, arXiv:1603.09420)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.forget = nn.Linear(input_size + hidden_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recur = nn.Linear(hidden_size, hidden_size, bias=False)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, input_size) and h (batch, hidden_size) to (output, new h)."""
        f = torch.sigmoid(self.forget(torch.cat([x_t, h], dim=-1)))
        c = torch.tanh(self.input(x_t) + self.recur(f * h))
        h = (1 - f) * h + f * c
        return h, h


class CoupledLSTM(Cell):
    """An LSTM for this benchmark: coupled gates, and an output that may skip the state.

    f = σ(W_f x + U_f h + v ⊙ c),  c ← f ⊙ c + (1 − f) ⊙ tanh(W_c x + U_c h),  r = σ(W_r x + U_r h),
    h ← r ⊙ tanh(c) + (1 − r) ⊙ tanh(W_s x).  The gates are coupled as in Greff et al. (2017, arXiv:1503.04069); the
    output skips the state as in SRU (Lei et al., 2018, arXiv:1709.02755).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recur = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.v = nn.Parameter(0.1 * torch.randn(hidden_size))

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return (h, c), zeros of shape (batch_size, hidden_size) each."""
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x_t (batch, input_size) and (h, c), each (batch, hidden_size), to (output, (h, c))."""
        h, c = state
        x_f, x_c, x_r, x_s = self.input(x_t).chunk(4, dim=-1)
        h_f, h_c, h_r = self.recur(h).chunk(3, dim=-1)
        f = torch.sigmoid(x_f + h_f + self.v * c)
        c = f * c + (1 - f) * torch.tanh(x_c + h_c)
        r = torch.sigmoid(x_r + h_r)
        h = r * torch.tanh(c) + (1 - r) * torch.tanh(x_s)
        return h, (h, c)


class ProjectedMinGRU(MinGRU):
    """A minGRU with its products computed for all steps at once, so that the loop is h ← a ⊙ h + b only."""

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to gate and candidate, (batch, n_timesteps, 2 * hidden_size)."""
        return torch.cat([self.gate(x), self.candidate(x)], dim=-1)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, 2 * hidden_size) and h (batch, hidden_size) to (output, new h)."""
        a, b = self.linear_coefficients(x_t)
        h = a * h + b
        return h, h

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 - z and z ⊙ c."""
        z, c = x.chunk(2, dim=-1)
        z = torch.sigmoid(z)
        return 1 - z, z * c


PLUGINS: dict[str, type[Cell]] = {
    "peephole LSTM": PeepholeLSTM, "MLP": MLP, "minGRU": MinGRU, "MGU": MGU, "coupled LSTM": CoupledLSTM,
}  # fmt: skip
