"""Unitary evolution RNN (Arjovsky, Shah and Bengio, 2016, arXiv:1511.06464)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import seqpipe

__all__ = ["UnitaryCell"]


class UnitaryCell(seqpipe.Cell):
    """A complex state under the unitary matrix W = D₃ R₂ F⁻¹ D₂ Π R₁ F D₁, followed by modReLU.

    D are diagonal matrices of phases, R reflections, F the Fourier transform and Π a fixed permutation. With zero input
    and bias a step preserves the norm of the state. The output is the real and the imaginary part.

    W is multiplied out: n² products per step instead of the paper's n log n, in exchange for a step that is compiled.

    Parameters
    ----------
    input_size, hidden_size : int
        Number of features per time step, and of complex numbers in the state.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.V = nn.Linear(input_size, 2 * hidden_size, bias=False)
        self.D = nn.Parameter(torch.empty(3, hidden_size).uniform_(-math.pi, math.pi))
        self.R = nn.Parameter(torch.empty(2, hidden_size, 2).uniform_(-1, 1))
        self.b = nn.Parameter(torch.zeros(hidden_size))
        self.register_buffer("Pi", torch.randperm(hidden_size))

    @property
    def output_size(self) -> int:
        """Number of real and imaginary parts."""
        return 2 * self.hidden_size

    def initial_state(self, batch_size: int) -> Tensor:
        """Return complex zeros of shape (batch_size, hidden_size)."""
        return torch.complex(super().initial_state(batch_size), super().initial_state(batch_size))

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the real and imaginary part of V x, for all steps at once."""
        return self.V(x)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, 2 * hidden_size) and complex h (batch, hidden_size) to (output, new h)."""
        z = h @ self.W().T + torch.complex(*x_t.chunk(2, dim=-1))
        r = z.abs()
        h = torch.relu(r + self.b) / r.masked_fill(r == 0, 1) * z
        return torch.cat([h.real, h.imag], dim=-1), h

    def W(self) -> Tensor:
        """Return the unitary matrix, complex, of shape (hidden_size, hidden_size)."""
        D = torch.diag_embed(torch.polar(torch.ones_like(self.D), self.D))
        z = _reflected(torch.fft.fft(D[0], norm="ortho", dim=0), self.R[0])
        z = D[1] @ z[self.Pi]
        return D[2] @ _reflected(torch.fft.ifft(z, norm="ortho", dim=0), self.R[1])


def _reflected(z: Tensor, v: Tensor) -> Tensor:
    """Return (I - 2 v v* / ‖v‖²) z for z (n, n) and v (n, 2), real and imaginary parts."""
    u = (torch.view_as_complex(v) / v.norm())[:, None]
    return z - 2 * u @ (u.conj().T @ z)
