"""Convolutional GRU (Ballas, Yao, Pal and Courville, 2016, arXiv:1511.06432)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from seqpipe_conv._conv_cell import ConvCell

__all__ = ["ConvGRUCell"]


class ConvGRUCell(ConvCell):
    """A GRU with convolutional transitions: its state is a stack of feature maps.

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
        super().__init__(input_size, hidden_size, element_shape, kernel_size, n_gates=3)
        self.U_zr = self.convolution(hidden_size, 2, bias=False)
        self.U = self.convolution(hidden_size, 1, bias=False)

    def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, 3 * hidden_size, height, width) and the state (batch, output_size) to (output, new state)."""
        h = self.maps(state)
        x_zr, x = x_t.tensor_split([2 * self.hidden_size], dim=1)
        z, r = torch.sigmoid(x_zr + self.U_zr(h)).chunk(2, dim=1)
        h = (1 - z) * h + z * torch.tanh(x + self.U(r * h))
        h = h.flatten(1)
        return h, h
