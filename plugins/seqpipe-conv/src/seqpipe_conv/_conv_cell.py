"""What cells with convolutions share: the shape of a frame, flattened states, convolutions of the input."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Self

from torch import Tensor, nn

import seqpipe

__all__ = ["ConvCell"]


class ConvCell(seqpipe.Cell):
    """Base class of cells whose states are stacks of feature maps.

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
    n_gates : int
        Number of stacks of maps that are computed from the input.

    Raises
    ------
    ValueError
        If the shape does not match input_size, or the kernel size is even.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        element_shape: Iterable[int] | None = None,
        kernel_size: int = 3,
        *,
        n_gates: int,
    ) -> None:
        super().__init__(input_size, hidden_size)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"The 'kernel_size' parameter of {type(self).__name__} must be odd. Got {kernel_size!r} instead."
            )
        self.kernel_size = kernel_size
        channels, *self.map_shape = self._frame(element_shape)
        self.W_x = self.convolution(channels, n_gates)

    def convolution(self, channels: int, n_gates: int, *, bias: bool = True) -> nn.Conv2d:
        """Return a convolution from channels to n_gates * hidden_size maps of the same height and width."""
        return nn.Conv2d(channels, n_gates * self.hidden_size, self.kernel_size, padding="same", bias=bias)

    @property
    def output_size(self) -> int:
        """Number of values of the flattened maps."""
        return self.hidden_size * math.prod(self.map_shape)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of shape (batch_size, output_size)."""
        return self.W_x.weight.new_zeros(batch_size, self.output_size)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the maps of all gates (batch, n_timesteps, n_gates * hidden_size, …)."""
        maps: Tensor = self.W_x(x.reshape(-1, self.W_x.in_channels, *self.map_shape))
        return maps.reshape(x.shape[0], x.shape[1], -1, *self.map_shape)

    def maps(self, state: Tensor) -> Tensor:
        """Map a state (batch, output_size) to its maps (batch, hidden_size, height, width)."""
        return state.reshape(-1, self.hidden_size, *self.map_shape)

    def sibling(self, input_size: int) -> Self:
        """Return a cell whose number of input channels is the number of maps in the input."""
        channels = input_size // math.prod(self.map_shape)
        shape = (channels, *self.map_shape)
        return type(self)(input_size, self.hidden_size, element_shape=shape, kernel_size=self.kernel_size)

    def _frame(self, element_shape: Iterable[int] | None) -> tuple[int, int, int]:
        """Return channels, height and width of a frame."""
        shape = (self.input_size, 1, 1) if element_shape is None else tuple(element_shape)
        frame = (1, *shape) if len(shape) == 2 else shape
        if len(frame) != 3 or math.prod(frame) != self.input_size:
            raise ValueError(
                f"The 'element_shape' parameter of {type(self).__name__} must be (channels, height, width) or "
                f"(height, width) of input_size={self.input_size} numbers. Got {shape} instead."
            )
        return frame
