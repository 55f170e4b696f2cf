"""Convolutional LSTM (Shi et al., 2015, arXiv:1506.04214), equation 3."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from seqpipe_conv._conv_cell import ConvCell

__all__ = ["ConvLSTMCell"]


class ConvLSTMCell(ConvCell):
    """An LSTM with peephole connections and convolutional transitions: its state is a stack of feature maps.

    Input, state and output are flattened in the order channels, rows, columns.

    Parameters
    ----------
    input_size : int
        Number of values per frame, channels * height * width.
    hidden_size : int
        Number of channels of the state.
    element_shape : tuple of int (channels, height, width) or (height, width), optional
        Shape of a frame; by default each feature is a channel of one pixel. An estimator passes it on from X.
    kernel_size : int, default=3
        Height and width of the kernels, in pixels; odd.

    Raises
    ------
    ValueError
        If the shape does not match input_size, or the kernel size is even.
    """

    def __init__(
        self, input_size: int, hidden_size: int, element_shape: Iterable[int] | None = None, kernel_size: int = 3
    ) -> None:
        super().__init__(input_size, hidden_size, element_shape, kernel_size, n_gates=4)
        self.W_h = self.convolution(hidden_size, 4, bias=False)
        self.W_ci, self.W_cf, self.W_co = (nn.Parameter(torch.zeros(hidden_size, *self.map_shape)) for _ in range(3))
        with torch.no_grad():
            self.W_x.bias.chunk(4)[1].fill_(1.0)  # forget gate bias: Jozefowicz et al., 2015

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (batch_size, output_size) for H and C."""
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x_t (batch, 4 * hidden_size, height, width) and (H, C), each (batch, output_size), to H and (H, C)."""
        H, C = map(self.maps, state)
        i, f, c, o = (x_t + self.W_h(H)).chunk(4, dim=1)
        i = torch.sigmoid(i + self.W_ci * C)
        f = torch.sigmoid(f + self.W_cf * C)
        C = f * C + i * torch.tanh(c)
        o = torch.sigmoid(o + self.W_co * C)
        H = (o * torch.tanh(C)).flatten(1)
        return H, (H, C.flatten(1))
