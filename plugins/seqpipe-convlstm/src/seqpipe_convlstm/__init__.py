"""Convolutional LSTM (Shi et al., 2015, arXiv:1506.04214), equation 3."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Self

import torch
from torch import Tensor, nn

import seqpipe

__all__ = ["ConvLSTMCell", "seqpipe_cells"]

SEQPIPE_API = 1


class ConvLSTMCell(seqpipe.Cell):
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
        super().__init__(input_size, hidden_size)
        channels, *self.map_shape = _frame(input_size, element_shape)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"The 'kernel_size' parameter of ConvLSTMCell must be odd. Got {kernel_size!r} instead.")
        self.W_x = nn.Conv2d(channels, 4 * hidden_size, kernel_size, padding="same")
        self.W_h = nn.Conv2d(hidden_size, 4 * hidden_size, kernel_size, padding="same", bias=False)
        self.W_ci, self.W_cf, self.W_co = (nn.Parameter(torch.zeros(hidden_size, *self.map_shape)) for _ in range(3))
        with torch.no_grad():
            self.W_x.bias.chunk(4)[1].fill_(1.0)  # forget gate bias: Jozefowicz et al., 2015

    @property
    def output_size(self) -> int:
        """Number of values of the flattened maps."""
        return self.hidden_size * math.prod(self.map_shape)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (batch_size, output_size) for H and C."""
        zeros = self.W_ci.new_zeros(batch_size, self.output_size)
        return zeros, zeros.clone()

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the maps of all gates (batch, n_timesteps, 4 * hidden_size, …)."""
        maps: Tensor = self.W_x(x.reshape(-1, self.W_x.in_channels, *self.map_shape))
        return maps.reshape(x.shape[0], x.shape[1], -1, *self.map_shape)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x_t (batch, 4 * hidden_size, height, width) and (H, C), each (batch, output_size), to H and (H, C)."""
        H, C = (each.reshape(-1, self.hidden_size, *self.map_shape) for each in state)
        i, f, c, o = (x_t + self.W_h(H)).chunk(4, dim=1)
        i = torch.sigmoid(i + self.W_ci * C)
        f = torch.sigmoid(f + self.W_cf * C)
        C = f * C + i * torch.tanh(c)
        o = torch.sigmoid(o + self.W_co * C)
        H = (o * torch.tanh(C)).flatten(1)
        return H, (H, C.flatten(1))

    def sibling(self, input_size: int) -> Self:
        """Return a cell whose number of input channels is the number of maps in the input."""
        channels = input_size // math.prod(self.map_shape)
        shape = (channels, *self.map_shape)
        return type(self)(input_size, self.hidden_size, element_shape=shape, kernel_size=self.W_x.kernel_size[0])


def _frame(input_size: int, element_shape: Iterable[int] | None) -> tuple[int, int, int]:
    """Return channels, height and width of a frame."""
    shape = (input_size, 1, 1) if element_shape is None else tuple(element_shape)
    frame = (1, *shape) if len(shape) == 2 else shape
    if len(frame) != 3 or math.prod(frame) != input_size:
        raise ValueError(
            "The 'element_shape' parameter of ConvLSTMCell must be (channels, height, width) or (height, width) of "
            f"input_size={input_size} numbers. Got {shape} instead."
        )
    return frame


@seqpipe.hookimpl
def seqpipe_cells() -> list[seqpipe.CellSpec]:
    """Offer the cell."""
    return [seqpipe.CellSpec("convlstm", ConvLSTMCell, summary="convolutional LSTM, for frames")]
