"""Long short-term memory, as in ``torch.nn.LSTM``.

Hochreiter and Schmidhuber, 1997, doi:10.1162/neco.1997.9.8.1735; the forget gate: Gers, Schmidhuber and Cummins, 2000,
doi:10.1162/089976600300015015.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqpipe.cells._gates import GatedCell

__all__ = ["LSTMCell"]


class LSTMCell(GatedCell):
    """Input, forget, candidate and output gate over a cell state.

    The bias of the forget gate is initialised to 1 (Jozefowicz et al., 2015), so that an untrained cell keeps its
    state.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, n_gates=4)
        nn.init.ones_(self.bias_ih[hidden_size : 2 * hidden_size].detach())

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return (h, c), zeros of shape (batch_size, hidden_size) each."""
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x_t (batch, 4 * hidden_size) and (h, c), each (batch, hidden_size), to (output, (h, c))."""
        h, c = state
        i, f, g, o = (x_t + self.recur(h)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)

    def torch_kernel(self) -> str:
        """Return the name of the torch kernel."""
        return "lstm"
