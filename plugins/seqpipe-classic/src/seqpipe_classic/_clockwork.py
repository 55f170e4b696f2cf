"""Clockwork RNN (Koutník et al., 2014, arXiv:1402.3511)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

import seqpipe

__all__ = ["ClockworkCell"]


class ClockworkCell(seqpipe.Cell):
    """An Elman network in modules: module i is updated at steps t that are multiples of T_i, and else keeps its state.

    A module reads itself and the slower ones. The clock is a part of the state, so that a sequence may be continued.

    Parameters
    ----------
    input_size, hidden_size : int
        Number of features per time step, and in the hidden state.
    periods : sequence of int, default=(1, 2, 4, 8)
        Clock periods T_i of the modules, in time steps, in increasing order; the units are distributed over the modules
        as evenly as possible.

    Raises
    ------
    ValueError
        If the periods are not increasing positive integers.
    """

    def __init__(self, input_size: int, hidden_size: int, periods: Sequence[int] = (1, 2, 4, 8)) -> None:
        super().__init__(input_size, hidden_size)
        if not periods or periods[0] < 1 or list(periods) != sorted(set(periods)):
            raise ValueError(
                "The 'periods' parameter of ClockworkCell must be increasing positive integers. "
                f"Got {periods!r} instead."
            )
        T = torch.tensor([periods[unit * len(periods) // hidden_size] for unit in range(hidden_size)])
        self.W_I = nn.Linear(input_size, hidden_size)
        self.W_H = nn.Linear(hidden_size, hidden_size, bias=False)
        self.register_buffer("T", T)
        self.register_buffer("slower", T[None, :] >= T[:, None])

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return y, zeros of shape (batch_size, hidden_size), and the number of steps t, zeros of shape (batch_size, 1)."""
        y = super().initial_state(batch_size)
        return y, torch.zeros(batch_size, 1, dtype=torch.int64, device=y.device)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to its part of the new state, for all steps at once."""
        return self.W_I(x)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x_t (batch, hidden_size) and (y, t) to (output, (new y, t + 1))."""
        y, t = state
        W_H = self.W_H.weight * self.slower
        y = torch.where(t % self.T == 0, torch.tanh(x_t + y @ W_H.T), y)
        return y, (y, t + 1)
