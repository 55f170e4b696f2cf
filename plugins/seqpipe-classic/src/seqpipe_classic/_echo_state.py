"""Echo state network with leaky units.

Jaeger, 2001, GMD Report 148; Jaeger, Lukoševičius, Popovici and Siewert, 2007, doi:10.1016/j.neunet.2007.04.016.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

import seqpipe

__all__ = ["EchoStateCell"]


class EchoStateCell(seqpipe.Cell):
    """A reservoir of leaky tanh units with fixed random weights: only what reads its outputs is trained.

    Parameters
    ----------
    input_size, hidden_size : int
        Number of features per time step, and of units in the reservoir.
    spectral_radius : float, default=0.9
        Largest absolute eigenvalue of the recurrent weights; below 1 the reservoir usually forgets its initial state.
    leak : float, default=0.3
        Leaking rate a, in (0, 1]: the part of the state that is replaced per time step.
    input_scale : float, default=1.0
        Input weights and biases are uniform between -input_scale and input_scale.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        spectral_radius: float = 0.9,
        leak: float = 0.3,
        input_scale: float = 1.0,
    ) -> None:
        super().__init__(input_size, hidden_size)
        for name, value in (("spectral_radius", spectral_radius), ("input_scale", input_scale)):
            if not value > 0:
                raise ValueError(f"The {name!r} parameter of EchoStateCell must be positive. Got {value!r} instead.")
        if not 0 < leak <= 1:
            raise ValueError(f"The 'leak' parameter of EchoStateCell must be in (0, 1]. Got {leak!r} instead.")
        self.a = leak
        W = torch.randn(hidden_size, hidden_size)
        self.register_buffer("W", W * (spectral_radius / torch.linalg.eigvals(W).abs().max()))
        self.register_buffer("W_in", torch.empty(hidden_size, input_size).uniform_(-input_scale, input_scale))
        self.register_buffer("b", torch.empty(hidden_size).uniform_(-input_scale, input_scale))

    def project(self, u: Tensor) -> Tensor:
        """Map u (batch, n_timesteps, input_size) to W_in u + b, for all steps at once."""
        return F.linear(u, self.W_in, self.b)

    def step(self, u_t: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map u_t and x, each (batch, hidden_size), to (output, new x)."""
        x = (1 - self.a) * x + self.a * torch.tanh(u_t + F.linear(x, self.W))
        return x, x
