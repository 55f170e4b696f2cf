"""Zoneout (Krueger et al., 2017, arXiv:1606.01305): random units keep their state for a step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence.wrappers._wrapper import Wrapper, innermost

__all__ = ["Zoneout"]


class Zoneout(Wrapper):
    """Let each unit of the state keep its value for a step with probability p, in training.

    After ``eval()`` the new state is the expected one, p times the old plus 1 - p times the new. An output that is one
    of the state tensors, such as an LSTM's h, changes with it.

    Parameters
    ----------
    cell : Cell
        Cell to wrap. State tensors added by other wrappers are not zoned out.
    p : float or list of float, default=0.1
        Probability, in [0, 1), for all state tensors of the innermost cell, or one for each: (h, c) for an LSTM.

    Raises
    ------
    ValueError
        If a probability is out of range, or their number differs from that of the state tensors.

    Examples
    --------
    >>> import torch
    >>> from seqpipe import LSTMCell, Recurrent
    >>> from seqpipe.recurrence.wrappers import Zoneout
    >>> lstm = Recurrent(Zoneout(LSTMCell(3, 8), p=[0.05, 0.5]))
    >>> lstm(torch.randn(4, 7, 3))[0].shape
    torch.Size([4, 7, 8])
    """

    def __init__(self, cell: Cell, p: float | Sequence[float] = 0.1) -> None:
        super().__init__(cell)
        with torch.no_grad(), forked_generators():
            tensors = state_tensors(innermost(cell).initial_state(1))
        given = list(p) if isinstance(p, Sequence) else [p] * len(tensors)
        if len(given) != len(tensors):
            raise ValueError(
                f"The 'p' parameter of Zoneout must be one probability, or one for each of the {len(tensors)} tensors "
                f"of the state of {type(innermost(cell)).__name__}. Got {p!r} instead."
            )
        # Integer states, such as step counters, are never zoned out.
        self.p = tuple(self.share("p", q) if t.is_floating_point() else 0.0 for q, t in zip(given, tensors))
        self._shapes = tuple(tuple(t.shape[1:]) for t in tensors)

    @property
    def projected_shape(self) -> tuple[int, ...]:
        """Shape of one projected step: in training flattened, with a mask for each unit."""
        n_units = sum(map(prod, self._shapes))
        return (prod(self.inner_shape) + n_units,) if self.training else self.inner_shape

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the inner cell's projection, joined with the masks of all steps."""
        projected = self.cell.project(x)
        if not self.training:
            return projected
        masks = [x.new_full((x.shape[0], x.shape[1], prod(shape)), q) for q, shape in zip(self.p, self._shapes)]
        return self.with_features(projected, torch.cat(masks, dim=2).detach().bernoulli())

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the inner cell's step and mix the old state into the new one."""
        keep: Sequence[Tensor | float] = self.p
        if self.training:
            x_t, masks = self.split_features(x_t)
            keep = self._shaped(masks)
        output, after = self.cell.step(x_t, state)
        old, new = state_tensors(state), state_tensors(after)
        zoned = [k * a + (1 - k) * b if q else b for k, q, a, b in zip(keep, self.p, old, new)]
        output = next((z for z, b in zip(zoned, new) if b is output), output)
        return output, (*zoned, *new[len(zoned) :]) if isinstance(after, tuple) else zoned[0]

    def _shaped(self, masks: Tensor) -> tuple[Tensor, ...]:
        """Return the masks (batch, n_units) of one step in the shapes of the state's tensors."""
        ends = list(accumulate(map(prod, self._shapes)))
        parts = [masks[:, end - prod(shape) : end] for end, shape in zip(ends, self._shapes)]
        return tuple(m if len(shape) == 1 else m.reshape(-1, *shape) for m, shape in zip(parts, self._shapes))
