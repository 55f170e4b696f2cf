"""From the sums that the backward loop leaves to the gradients of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler._layout import Layout, Target
from seqpipe.recurrence.compiler._program import Program, run_steps

__all__ = ["Gradients"]

#: Numbers up to which gathering them one by one is cheaper than torch's operations on blocks of them.
_MOST = 2**17


class Gradients:
    """Puts together the gradients of one program.

    Most often they are the sums in another order, and zeros. That order is found once, by putting numbered sums together
    as torch would; from then on a single operation gathers them all.

    Parameters
    ----------
    program : Program
    layout : Layout
    target : Target
    starts : tuple of int
        Where each of the layout's sums starts, and where the last one ends.
    """

    def __init__(self, program: Program, layout: Layout, target: Target, starts: tuple[int, ...]) -> None:
        self._program, self._layout, self._target, self._starts = program, layout, target, starts
        self._order: _Order | None = None
        self._searched = starts[-1] > _MOST

    def of(self, sums: Tensor, values: Sequence[Any]) -> list[Tensor | None]:
        """Return the gradient of each parameter and buffer.

        Parameters
        ----------
        sums : tensor of shape (n_sums + 1,)
            As the loop leaves them, and a zero.
        values : sequence
            The row-free values of the forward pass.
        """
        if not self._searched:
            with suppress(RuntimeError):  # an operation that does not take the numbers put in: it is no reordering
                self._order = self._find_order(values)
            self._searched = True
        return self._put_together(sums, values) if self._order is None else self._order.gather(sums)

    def _put_together(self, sums: Tensor, values: Sequence[Any]) -> list[Tensor | None]:
        values = list(values)
        for found, start, end in zip(self._layout.sums, self._starts, self._starts[1:]):
            width = found.columns.width
            part = sums[start:end].view(-1, self._target.padded(width))[:, :width]
            values[found.slot] = part[0] if found.rows is None else part if found.turned else part.t()
        run_steps(self._program.late, values)
        return [None if g is None else values[g.slot] for g in self._program.parameter_grads]

    def _find_order(self, values: Sequence[Any]) -> _Order | None:
        n = self._starts[-1]
        with torch.random.fork_rng(devices=[]):
            places = self._put_together(torch.arange(1.0, n + 2, dtype=torch.float64), _drawn_like(values))
            probe = torch.cat([torch.rand(n, dtype=torch.float64) + 1, torch.zeros(1, dtype=torch.float64)])
            expected = self._put_together(probe, _drawn_like(values))
        index = torch.cat([p.reshape(-1) for p in places if p is not None] or [torch.empty(0)]).long() - 1
        index[index < 0] = n
        if len(index) == 0 or int(index.max()) > n:
            return None
        order = _Order(index, [None if p is None else p.shape for p in places])
        same = all(a is None or torch.equal(a, b) for a, b in zip(expected, order.gather(probe)) if b is not None)
        return order if same else None


class _Order:
    """Which of the sums each number of the gradients is."""

    def __init__(self, index: Tensor, shapes: list[torch.Size | None]) -> None:
        self.index, self.shapes = index, shapes
        self.sizes = [shape.numel() for shape in shapes if shape is not None]

    def gather(self, sums: Tensor) -> list[Tensor | None]:
        parts = iter(sums.index_select(0, self.index).split(self.sizes))
        return [None if shape is None else next(parts).view(shape) for shape in self.shapes]


def _drawn_like(values: Sequence[Any]) -> list[Any]:
    """Return other numbers in place of the row-free values: what depends on these is no reordering of the sums."""
    return [
        torch.rand_like(v, dtype=torch.float64) if isinstance(v, Tensor) and v.is_floating_point() else v
        for v in values
    ]
