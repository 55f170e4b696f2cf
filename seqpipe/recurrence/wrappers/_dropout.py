"""Variational dropout (Gal and Ghahramani, 2016, arXiv:1512.05287): one mask for all steps of a sequence."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CellError, did_you_mean
from seqpipe.recurrence.wrappers._wrapper import Wrapper, innermost

__all__ = ["Dropout"]

_PLACES = ("output", "state")


class Dropout(Wrapper):
    """Drop the same features at every step of a sequence, in training.

    The masks are drawn with the initial state and are part of the state, so a sequence that continues from a state
    keeps its masks. The remaining features are divided by 1 - p. After ``eval()`` nothing is dropped.

    Parameters
    ----------
    cell : Cell
        Cell to wrap.
    p : float, default=0.2
        Dropout probability, in [0, 1).
    on : {"output", "state"} or a list of both, default="output"
        Where to apply dropout: to the output, which is the input of the next layer, or to h_{t-1} where the cell maps
        it to its gates. For "state" the cell needs a method ``recur`` that computes this map, as `RNNCell`, `LSTMCell`
        and `GRUCell` have. Other recurrent paths (c, or z ⊙ h) are never dropped. Gal and Ghahramani use both.

    Raises
    ------
    ValueError
        If p is out of range, or ``on`` is invalid.
    CellError
        If ``on`` contains "state" and the cell has no ``recur``.

    Examples
    --------
    >>> import torch
    >>> from seqpipe import LSTMCell, Recurrent
    >>> from seqpipe.recurrence.wrappers import Dropout
    >>> lstm = Recurrent(Dropout(LSTMCell(3, 8), 0.5))
    >>> outputs, (h, c, mask) = lstm(torch.randn(4, 7, 3))
    >>> bool((outputs[0, :, mask[0, 0] == 0] == 0).all())
    True
    """

    def __init__(self, cell: Cell, p: float = 0.2, *, on: str | Sequence[str] = "output") -> None:
        super().__init__(cell)
        self.p = self.share("p", p)
        self.on = _checked_places(on)
        self.n_own = len(self.on)
        if "state" in self.on and not callable(getattr(innermost(cell), "recur", None)):
            raise CellError(
                f"Dropout on 'state' needs a cell with a method recur(h), through which its step reads the state; "
                f"{type(innermost(cell)).__name__} has none. Define one, or use on='output'."
            )

    def own_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Draw one mask (batch_size, n) per place, 0 or 1 / (1 - p) in training, else 1."""
        widths = {"output": self.output_size, "state": self.hidden_size}
        ones = [self.like.new_ones(batch_size, widths[place]) for place in self.on]
        return tuple(F.dropout(one, self.p, self.training) for one in ones)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the inner cell's step, masked in training."""
        inner, own = self.split_state(state)
        masks = dict(zip(self.on, own)) if self.training else {}
        cell = with_masked_recurrence(self.cell, masks["state"]) if "state" in masks else self.cell
        output, inner = cell.step(x_t, inner)
        output = output * masks["output"] if "output" in masks else output
        return output, self.join_state(inner, own)


def _checked_places(on: str | Sequence[str]) -> tuple[str, ...]:
    """Return the places in the order of their masks in the state."""
    given = [on] if isinstance(on, str) else list(on)
    for place in given:
        if place not in _PLACES:
            raise ValueError(
                f"The 'on' parameter of Dropout must be one or several of {list(_PLACES)}. "
                f"Got {place!r} instead.{did_you_mean(place, _PLACES)}"
            )
    return tuple(place for place in _PLACES if place in given)


def with_masked_recurrence(cell: Cell, mask: Tensor) -> Cell:
    """Return a view of the cell whose innermost `recur` multiplies h by the mask (batch, hidden_size)."""
    view = copy.copy(cell)
    if isinstance(cell, Wrapper):
        view.__dict__["_modules"] = {**cell._modules, "cell": with_masked_recurrence(cell.cell, mask)}
    else:
        view.__dict__["recur"] = lambda h: cell.recur(h * mask)  # type: ignore[operator]
    return view
