"""Base class of cells whose state is one matrix per head."""

from __future__ import annotations

from torch import Tensor

import seqpipe

__all__ = ["MatrixCell"]


class MatrixCell(seqpipe.Cell):
    """A cell with a matrix (d, d) per head, where hidden_size = num_heads * d.

    Parameters
    ----------
    input_size : int
        Number of features per time step.
    hidden_size : int
        Number of features of the output, of all heads.
    num_heads : int, default=1
        Number of heads.

    Raises
    ------
    ValueError
        If num_heads does not divide hidden_size.
    """

    def __init__(self, input_size: int, hidden_size: int, num_heads: int = 1) -> None:
        super().__init__(input_size, hidden_size)
        if num_heads < 1 or hidden_size % num_heads:
            raise ValueError(
                f"The 'num_heads' parameter of {type(self).__name__} must be a positive divisor of "
                f"hidden_size={hidden_size}. Got {num_heads!r} instead."
            )
        self.num_heads = num_heads

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros (batch_size, num_heads, d, d): values by keys."""
        d = self.hidden_size // self.num_heads
        return super().initial_state(batch_size).new_zeros(batch_size, self.num_heads, d, d)

    def heads(self, x: Tensor, parts: int = 1) -> Tensor:
        """Return parts of hidden_size features each, next to one another in x, as (parts, …, num_heads, d)."""
        return x.unflatten(-1, (parts, self.num_heads, -1)).movedim(-3, 0)
