"""Independently recurrent network, IndRNN (Li et al., 2018, arXiv:1803.04831)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqpipe

__all__ = ["IndRNNCell"]


class IndRNNCell(seqpipe.Cell):
    """A ReLU network in which each unit reads its own past only: u is one recurrent weight per unit.

    Parameters
    ----------
    input_size, hidden_size : int
        Number of features per time step, and in the hidden state.
    bound : float, default=1.0
        The recurrent weights are initialised uniformly between 0 and this bound. Over T steps a unit multiplies its
        state by up to bound ** T; the paper recommends bound = γ ** (1 / T), with γ the largest factor.

    Raises
    ------
    ValueError
        If the bound is not positive.
    """

    def __init__(self, input_size: int, hidden_size: int, bound: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        if not bound > 0:
            raise ValueError(f"The 'bound' parameter of IndRNNCell must be positive. Got {bound!r} instead.")
        self.W = nn.Linear(input_size, hidden_size)
        self.u = nn.Parameter(torch.empty(hidden_size).uniform_(0, bound))

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to W x + b, for all steps at once."""
        return self.W(x)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t and h, each (batch, hidden_size), to (output, new h)."""
        h = torch.relu(x_t + self.u * h)
        return h, h
