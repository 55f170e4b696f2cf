"""Linear recurrent unit (Orvieto et al., 2023, arXiv:2303.06349), section 3 and appendix A."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import seqpipe

__all__ = ["LRUCell"]


class LRUCell(seqpipe.Cell):
    """A complex diagonal recurrence: h_t = λ ⊙ h_{t-1} + γ ⊙ (B x_t), y_t = Re(C h_t) + D x_t.

    λ = exp(-exp(ν) + i exp(θ)) is initialised on a ring and remains inside the unit circle. γ is initialised to
    √(1 - |λ|²), so that the state has the variance of B x.

    Parameters
    ----------
    input_size : int
        Number of features per time step.
    hidden_size : int
        Number of complex numbers in the state, and of features of the output.
    r_min, r_max : float, default=0.0, 1.0
        Radii of the ring on which λ is initialised.
    max_phase : float, default=2π
        Largest phase of λ at initialisation, in radians per time step.

    Raises
    ------
    ValueError
        If the radii are not 0 <= r_min < r_max <= 1.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * math.pi,
    ) -> None:
        super().__init__(input_size, hidden_size)
        if not 0 <= r_min < r_max <= 1:
            raise ValueError(
                f"The 'r_min' and 'r_max' parameters of LRUCell must be 0 <= r_min < r_max <= 1. Got {r_min!r} and "
                f"{r_max!r} instead."
            )
        square = torch.empty(hidden_size).uniform_(r_min**2, r_max**2).clamp(1e-6, 1 - 1e-6)  # of |λ|
        self.nu = nn.Parameter(torch.log(-0.5 * torch.log(square)))
        self.theta = nn.Parameter(torch.log(max_phase * torch.rand(hidden_size).clamp(1e-6)))
        self.gamma = nn.Parameter(0.5 * torch.log(1 - square))
        self.B_re, self.B_im = (_normal(hidden_size, input_size, 2 * input_size) for _ in range(2))
        self.C_re, self.C_im = (_normal(hidden_size, hidden_size, hidden_size) for _ in range(2))
        self.D = _normal(hidden_size, input_size, input_size)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros (batch_size, hidden_size), complex."""
        return self.nu.new_zeros(batch_size, self.hidden_size, dtype=self.nu.dtype.to_complex())

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return λ (1, 1, hidden_size) and γ ⊙ (B x), for x (batch, n_timesteps, input_size)."""
        lam = torch.polar(torch.exp(-torch.exp(self.nu)), torch.exp(self.theta))
        gamma = torch.exp(self.gamma)
        return lam[None, None], torch.complex(gamma * (x @ self.B_re.mT), gamma * (x @ self.B_im.mT))

    def linear_output(self, x: Tensor, states: Tensor) -> Tensor:
        """Map x and the states to Re(C h) + D x."""
        return states.real @ self.C_re.mT - states.imag @ self.C_im.mT + x @ self.D.mT


def _normal(rows: int, columns: int, fan: int) -> nn.Parameter:
    """Return normal numbers of variance 1 / fan."""
    return nn.Parameter(torch.randn(rows, columns) / math.sqrt(fan))
