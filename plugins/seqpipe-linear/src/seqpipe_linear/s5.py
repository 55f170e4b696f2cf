"""Simplified state space layer S5 (Smith et al., 2023, arXiv:2208.04933), section 3 and appendix B.1."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

import seqpipe

__all__ = ["S5Cell"]


class S5Cell(seqpipe.Cell):
    """A diagonal state space: x_k = Λ̄ ⊙ x_{k-1} + B̄ u_k, y_k = 2 Re(C x_k) + D u_k.

    The continuous system (Λ, B) is discretised by a zero-order hold with a learned step size Δ per number of the state:
    Λ̄ = exp(Λ Δ), B̄ = Λ⁻¹ (Λ̄ - I) B. Λ is initialised to eigenvalues of the HiPPO-N matrix. These are conjugate pairs, of
    which the state holds one half.

    Parameters
    ----------
    input_size : int
        Number of features per time step.
    hidden_size : int
        Number of features of the output.
    state_size : int, optional
        Number of complex numbers in the state; by default hidden_size.

    Raises
    ------
    ValueError
        If state_size is not positive.
    """

    def __init__(self, input_size: int, hidden_size: int, state_size: int | None = None) -> None:
        super().__init__(input_size, hidden_size)
        n = hidden_size if state_size is None else state_size
        if n < 1:
            raise ValueError(f"The 'state_size' parameter of S5Cell must be a positive integer. Got {n!r} instead.")
        eigenvalues, V = _hippo(n)
        B = V.mH @ _normal(2 * n, input_size, input_size)
        C = _normal(hidden_size, 2 * n, 2 * n) @ V
        self.Lambda_re, self.Lambda_im = _parts(eigenvalues)
        self.B_re, self.B_im = _parts(B)
        self.C_re, self.C_im = _parts(C)
        self.D = nn.Parameter(torch.randn(hidden_size, input_size) / math.sqrt(input_size))
        self.log_step = nn.Parameter(torch.empty(n).uniform_(math.log(1e-3), math.log(1e-1)))

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros (batch_size, state_size), complex."""
        dtype = self.log_step.dtype.to_complex()
        return self.log_step.new_zeros(batch_size, len(self.log_step), dtype=dtype)

    def linear_coefficients(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return Λ̄ (1, 1, state_size) and B̄ u, for u (batch, n_timesteps, input_size)."""
        Lambda = torch.complex(self.Lambda_re.clamp(max=-1e-4), self.Lambda_im)  # stable
        Lambda_bar = torch.exp(Lambda * torch.exp(self.log_step))
        B_bar = ((Lambda_bar - 1) / Lambda)[:, None] * torch.complex(self.B_re, self.B_im)
        return Lambda_bar[None, None], torch.complex(u @ B_bar.real.mT, u @ B_bar.imag.mT)

    def linear_output(self, u: Tensor, states: Tensor) -> Tensor:
        """Map u and the states x to 2 Re(C x) + D u."""
        return 2 * (states.real @ self.C_re.mT - states.imag @ self.C_im.mT) + u @ self.D.mT


def _hippo(n: int) -> tuple[Tensor, Tensor]:
    """Return the n eigenvalues of HiPPO-N of size 2 n with positive imaginary parts, and their eigenvectors (2 n, n).

    HiPPO-N is the normal part of the HiPPO-LegS matrix: -½ on the diagonal, and skew-symmetric elsewhere.
    """
    roots = np.sqrt(2 * np.arange(2 * n) + 1)
    skew = 0.5 * (np.triu(np.outer(roots, roots), 1) - np.tril(np.outer(roots, roots), -1))
    imaginary, V = np.linalg.eigh(-1j * skew)  # in ascending order
    return torch.from_numpy(-0.5 + 1j * imaginary[n:]), torch.from_numpy(V[:, n:])


def _normal(rows: int, columns: int, fan: int) -> Tensor:
    """Return normal numbers of variance 1 / fan."""
    return torch.complex(
        torch.randn(rows, columns, dtype=torch.float64) / math.sqrt(fan),
        torch.zeros(rows, columns, dtype=torch.float64),
    )


def _parts(z: Tensor) -> tuple[nn.Parameter, nn.Parameter]:
    """Return the real and the imaginary part as parameters."""
    dtype = torch.get_default_dtype()
    return nn.Parameter(z.real.to(dtype).clone()), nn.Parameter(z.imag.to(dtype).clone())
