"""Attention over the last outputs at each step.

A memory of past outputs as in long short-term memory-networks (Cheng, Dong and Lapata, 2016, arXiv:1601.06733), limited
to a window of n outputs, with the additive score of Bahdanau, Cho and Bengio (2015, arXiv:1409.0473). As in
TensorFlow's ``AttentionCellWrapper``, the context vector is part of the next step's input and of this step's output.
"""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell, State
from seqpipe.recurrence.wrappers._wrapper import Wrapper

__all__ = ["Attention"]


class Attention(Wrapper):
    """Let each step attend to the last n outputs.

    Let m_1 … m_n be the last outputs, zeros at first, and d_{t-1} the previous context. Then o_t is the cell's output
    for the input W_x x_t + W_r d_{t-1} + b; e_i = v · tanh(W_k m_i + W_q o_t + b_q); d_t is the mean of the m_i
    weighted by softmax(e); the output is W_o [o_t, d_t] + b_o, which becomes the next m_n.

    Parameters
    ----------
    cell : Cell
        Cell to wrap.
    n : int, default=10
        Number of past outputs in the memory.

    Raises
    ------
    ValueError
        If n is not a positive integer.

    Examples
    --------
    >>> import torch
    >>> from seqpipe import GRUCell, Recurrent
    >>> from seqpipe.recurrence.wrappers import Attention
    >>> outputs, (h, memory, read) = Recurrent(Attention(GRUCell(3, 8), n=5))(torch.randn(4, 7, 3))
    >>> outputs.shape, memory.shape, read.shape
    (torch.Size([4, 7, 8]), torch.Size([1, 4, 5, 8]), torch.Size([1, 4, 8]))
    """

    n_own = 2
    n: int
    input: nn.Linear
    reading: nn.Linear
    key: nn.Linear
    query: nn.Linear
    score: nn.Linear
    output: nn.Linear

    def __init__(self, cell: Cell, n: int = 10) -> None:
        super().__init__(cell)
        if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
            raise ValueError(f"The 'n' parameter of Attention must be an int >= 1. Got {n!r} instead.")
        self.n = int(n)
        size = cell.output_size
        self.input = self._linear(cell.input_size, cell.input_size)
        self.reading = self._linear(size, cell.input_size, bias=False)
        self.key = self._linear(size, size, bias=False)
        self.query = self._linear(size, size)
        self.score = self._linear(size, 1, bias=False)
        self.output = self._linear(2 * size, size)

    def _linear(self, n_in: int, n_out: int, *, bias: bool = True) -> nn.Linear:
        return nn.Linear(n_in, n_out, bias=bias, dtype=self.like.dtype, device=self.like.device)

    def own_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return (memory, d): zeros of shapes (batch_size, n, output_size) and (batch_size, output_size)."""
        memory = self.like.new_zeros(batch_size, self.n, self.output_size)
        return memory, memory[:, 0].clone()

    @property
    def projected_shape(self) -> tuple[int, ...]:
        """Shape of one projected step: that of the input, to which the context is added."""
        return (self.input_size,)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to W_x x + b, a part of the inner cell's input."""
        projected: Tensor = self.input(x)
        return projected

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the inner cell's step on x_t and the context, and update the context and the memory."""
        inner, (memory, d) = self.split_state(state)
        x_t = x_t + self.reading(d)
        o, inner = self.cell.step(self.cell.project(x_t[:, None])[:, 0], inner)
        e = self.score(torch.tanh(self.key(memory) + self.query(o)[:, None]))
        d = (torch.softmax(e, dim=1) * memory).sum(dim=1)
        output = self.output(torch.cat([o, d], dim=1))
        memory = torch.cat([memory[:, 1:], output[:, None]], dim=1)
        return output, self.join_state(inner, (memory, d))
