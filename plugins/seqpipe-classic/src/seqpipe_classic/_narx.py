"""NARX network: nonlinear autoregressive model with exogenous inputs.

Lin, Horne, Tiňo and Giles, 1996, doi:10.1109/72.548162, with a layer of tanh units for Ψ:
y(t) = tanh(Σ_k A_k u(t-k) + Σ_k B_k y(t-k) + b), k = 0, …, D_u for the inputs and k = 1, …, D_y for the outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seqpipe

__all__ = ["NARXCell"]


class NARXCell(seqpipe.Cell):
    """A layer of tanh units that reads the last inputs and its own last outputs through tapped delay lines.

    Outputs from further back have a shorter path to the present than in an Elman network, so that gradients vanish later.

    Parameters
    ----------
    input_size, hidden_size : int
        Number of features per time step, and of outputs.
    input_delays : int, default=2
        Number of earlier inputs D_u, in addition to the present one.
    output_delays : int, default=3
        Number of earlier outputs D_y.

    Raises
    ------
    ValueError
        If a number of delays is not a positive integer.
    """

    def __init__(self, input_size: int, hidden_size: int, input_delays: int = 2, output_delays: int = 3) -> None:
        super().__init__(input_size, hidden_size)
        for name, value in (("input_delays", input_delays), ("output_delays", output_delays)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"The {name!r} parameter of NARXCell must be a positive integer. Got {value!r} instead."
                )
        self.D_u, self.D_y = input_delays, output_delays
        self.A = nn.Linear(input_size, (self.D_u + 1) * hidden_size, bias=False)
        self.B = nn.Linear(self.D_y * hidden_size, hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros of shape (batch_size, D_u * hidden_size) and (batch_size, D_y * hidden_size).

        They are what the last inputs add to each of the next D_u steps, so that the shape does not depend on the
        number of features, and the last D_y outputs, the newest first.
        """
        zero = super().initial_state(batch_size)
        return zero.repeat(1, self.D_u), zero.repeat(1, self.D_y)

    def project(self, u: Tensor) -> Tensor:
        """Map u (batch, n_timesteps, input_size) to A_k u of all k, one after the other, for all steps at once."""
        return self.A(u)

    def step(self, u_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map u_t (batch, (D_u + 1) * hidden_size) and the state to (output, new state)."""
        s, y = state
        n = self.hidden_size
        s = u_t + F.pad(s, (0, n))
        y_t = torch.tanh(s[:, :n] + self.B(y))
        return y_t, (s[:, n:], torch.cat([y_t, y[:, :-n]], dim=1))
