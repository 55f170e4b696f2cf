"""tauGRU (Erichson et al., 2022, arXiv:2212.00228), whose step also reads the state of d steps before."""

from __future__ import annotations

from typing import Any

import torchrecurrent
from torch import Tensor

from seqpipe_torchrecurrent._adapter import TorchRecurrentCell

__all__ = ["tauGRUCell"]


class tauGRUCell(TorchRecurrentCell):  # noqa: N801 - torchrecurrent's name
    """`tauGRUCell` of torchrecurrent; its state is h_n, h_{n-1}, …, h_{n-d}.

    Parameters
    ----------
    input_size, hidden_size : int
        Number of features per time step, and in the hidden state.
    delay : int, default=1
        Number of steps d, as in `tauGRU` of torchrecurrent.
    **settings
        Further arguments of the class.

    Raises
    ------
    ValueError
        If the delay is not a positive integer.
    """

    adapted = torchrecurrent.tauGRUCell

    def __init__(self, input_size: int, hidden_size: int, delay: int = 1, **settings: Any) -> None:
        super().__init__(input_size, hidden_size, **settings)
        if not isinstance(delay, int) or delay < 1:
            raise ValueError(f"The 'delay' parameter of tauGRUCell must be a positive integer. Got {delay!r} instead.")
        self.d = delay

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Return d + 1 tensors of zeros of shape (batch_size, hidden_size)."""
        return tuple(super(tauGRUCell, self).initial_state(batch_size) for _ in range(self.d + 1))

    def step(self, x_t: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Map x_t (batch, input_size) and the state to (output, new state)."""
        h = self.cell(x_t, state[0], state[-1])
        return h, (h, *state[:-1])
