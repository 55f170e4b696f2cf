"""Layer normalisation (Ba, Kiros and Hinton, 2016, arXiv:1607.06450) of a cell's input or output."""

from __future__ import annotations

from torch import Tensor, nn

from seqpipe.cells import Cell, State
from seqpipe.recurrence.wrappers._wrapper import Wrapper

__all__ = ["LayerNorm"]


class LayerNorm(Wrapper):
    """Normalise the features of each step to mean 0 and variance 1, then apply a learned scale and shift.

    Parameters
    ----------
    cell : Cell
        Cell to wrap. Its state is not normalised.
    on : {"output", "input"}, default="output"
        What to normalise.

    Raises
    ------
    ValueError
        If ``on`` is invalid.

    Examples
    --------
    >>> import torch
    >>> from seqpipe import GRUCell, Recurrent
    >>> from seqpipe.recurrence.wrappers import LayerNorm
    >>> outputs, _ = Recurrent(LayerNorm(GRUCell(3, 8)))(torch.randn(4, 7, 3))
    >>> bool(outputs.mean(dim=2).abs().max() < 1e-6)
    True
    """

    def __init__(self, cell: Cell, *, on: str = "output") -> None:
        super().__init__(cell)
        if on not in ("input", "output"):
            raise ValueError(f"The 'on' parameter of LayerNorm must be 'input' or 'output'. Got {on!r} instead.")
        self.on = on
        size, like = cell.input_size if on == "input" else cell.output_size, self.like
        self.norm = nn.LayerNorm(size, dtype=like.dtype, device=like.device)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size), normalised if requested, to the inner cell's projection."""
        return self.cell.project(self.norm(x) if self.on == "input" else x)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the inner cell's step and normalise its output if requested."""
        output, state = self.cell.step(x_t, state)
        return self.norm(output) if self.on == "output" else output, state
