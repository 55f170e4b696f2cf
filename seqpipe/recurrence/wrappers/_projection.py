"""Output projection: one linear layer shared by all steps."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell, State
from seqpipe.recurrence.wrappers._wrapper import Wrapper

__all__ = ["Projection"]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda y: y,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


class Projection(Wrapper):
    """Replace the cell's output h_t by y_t = f(W h_t + b); the state is unchanged.

    Parameters
    ----------
    cell : Cell
        Cell to wrap.
    size : int
        Number of features of y_t.
    activation : {"identity", "relu", "sigmoid", "tanh"}, default="identity"
        Activation function f.

    Raises
    ------
    ValueError
        If the size is not a positive integer, or the activation is unknown.

    Examples
    --------
    >>> import torch
    >>> from seqpipe import GRUCell, Recurrent
    >>> from seqpipe.recurrence.wrappers import Projection
    >>> outputs, state = Recurrent(Projection(GRUCell(3, 8), 2))(torch.randn(4, 7, 3))
    >>> outputs.shape, state.shape
    (torch.Size([4, 7, 2]), torch.Size([1, 4, 8]))
    """

    activation: str
    output: nn.Linear

    def __init__(self, cell: Cell, size: int, *, activation: str = "identity") -> None:
        super().__init__(cell)
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise ValueError(f"The 'size' parameter of Projection must be an int >= 1. Got {size!r} instead.")
        if activation not in list(_ACTIVATIONS):
            raise ValueError(
                f"The 'activation' parameter of Projection must be one of {sorted(_ACTIVATIONS)}. "
                f"Got {activation!r} instead."
            )
        self.activation = activation
        self.output = nn.Linear(cell.output_size, int(size), dtype=self.like.dtype, device=self.like.device)

    @property
    def output_size(self) -> int:
        """Number of output features per time step."""
        return self.output.out_features

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the inner cell's step and project its output."""
        output, state = self.cell.step(x_t, state)
        return _ACTIVATIONS[self.activation](self.output(output)), state
