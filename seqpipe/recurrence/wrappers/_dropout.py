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

    The masks are drawn with the initial state and are part of the state, so a sequence that goes on from a state keeps
    its masks. What is not dropped is divided by 1 - p. After ``eval()`` nothing is dropped.

    Parameters
    ----------
    cell : Cell
        What is wrapped.
    p : float, default=0.2
        Share of features dropped, from 0 up to, but without, 1.
    on : {"output", "state"} or a list of both, default="output"
        Where: on what is given out, which is the input of the layer above, or on h_{t-1} where the cell maps it to its
        gates. For "state" the cell has to have a method ``recur``, that map, as `RNNCell`, `LSTMCell` and `GRUCell`
        do: what it carries from step to step in other ways (c, or z ⊙ h) is never dropped. Gal and Ghahramani take
        both.

    Raises
    ------
    ValueError
        If p is no such share, or ``on`` names another place.
    CellError
        If the cell has no ``recur`` where ``on`` has "state".

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
        self.on = _places(on)
        self.n_own = len(self.on)
        if "state" in self.on and not callable(getattr(innermost(cell), "recur", None)):
            raise CellError(
                f"Dropout on 'state' needs a cell with a method recur(h), through which its step reads the state; "
                f"{type(innermost(cell)).__name__} has none. Give it one, or take on='output'."
            )

    def own_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Draw the masks: (batch_size, n) for each place, 0 or 1 / (1 - p) in training, else 1."""
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


def _places(on: str | Sequence[str]) -> tuple[str, ...]:
    """Return the places in the order in which their masks are carried."""
    given = [on] if isinstance(on, str) else list(on)
    for place in given:
        if place not in _PLACES:
            raise ValueError(
                f"The 'on' parameter of Dropout must be one or several of {list(_PLACES)}. "
                f"Got {place!r} instead.{did_you_mean(place, _PLACES)}"
            )
    return tuple(place for place in _PLACES if place in given)


def with_masked_recurrence(cell: Cell, mask: Tensor) -> Cell:
    """Return the cell, of the same parameters, whose innermost `recur` reads h times the mask (batch, hidden_size)."""
    view = copy.copy(cell)
    if isinstance(cell, Wrapper):
        view.__dict__["_modules"] = {**cell._modules, "cell": with_masked_recurrence(cell.cell, mask)}
    else:
        view.__dict__["recur"] = lambda h: cell.recur(h * mask)  # type: ignore[operator]
    return view
