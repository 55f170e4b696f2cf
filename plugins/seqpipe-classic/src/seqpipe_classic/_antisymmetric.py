"""AntisymmetricRNN (Chang et al., 2019, arXiv:1902.09689)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seqpipe

__all__ = ["AntisymmetricCell"]


class AntisymmetricCell(seqpipe.Cell):
    """Euler steps of h' = tanh((W - Wᵀ - γI) h + V x + b), which is stable, as the eigenvalues of W - Wᵀ are imaginary.

    Parameters
    ----------
    input_size, hidden_size : int
        Number of features per time step, and in the hidden state.
    epsilon : float, default=0.1
        Step size ε.
    gamma : float, default=0.1
        Strength of the diffusion γ, which keeps Euler's method stable.

    Raises
    ------
    ValueError
        If epsilon is not positive, or gamma is negative.
    """

    def __init__(self, input_size: int, hidden_size: int, epsilon: float = 0.1, gamma: float = 0.1) -> None:
        super().__init__(input_size, hidden_size)
        if not epsilon > 0:
            raise ValueError(f"The 'epsilon' parameter of AntisymmetricCell must be positive. Got {epsilon!r} instead.")
        if not gamma >= 0:
            raise ValueError(f"The 'gamma' parameter of AntisymmetricCell must be at least 0. Got {gamma!r} instead.")
        self.epsilon, self.gamma = epsilon, gamma
        self.V = nn.Linear(input_size, hidden_size)
        self.W = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.register_buffer("I", torch.eye(hidden_size))

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to V x + b, for all steps at once."""
        return self.V(x)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t and h, each (batch, hidden_size), to (output, new h)."""
        h = h + self.epsilon * torch.tanh(F.linear(h, self.W - self.W.T - self.gamma * self.I) + x_t)
        return h, h
