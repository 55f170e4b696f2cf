"""Computes the gradients of the parameters from the sums of the backward loop."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence.compiler.c._compiled_kernel import CompiledKernel
from seqpipe.recurrence.compiler.program import FreeValues, Layout, StepProgram, Target, run_free_calls

__all__ = ["Gradients"]

#: Number of sums up to which one gather is cheaper than torch's operations on blocks.
_MAX_GATHERED = 2**17


class Gradients:
    """Assembles the gradients of one program.

    Usually they are a permutation of the sums, with zeros. The permutation is found once, by assembling numbered sums
    with torch; from then on a single operation gathers all gradients. A permutation that depends on masks or indices is
    not stored, since other cells that use the program may have other ones.

    Parameters
    ----------
    program : StepProgram
    layout : Layout
    target : Target
    kernel : CompiledKernel
        The backward loop, which computes the sums.
    free : FreeValues
        The row-free values of the program.
    """

    def __init__(
        self, program: StepProgram, layout: Layout, target: Target, kernel: CompiledKernel, free: FreeValues
    ) -> None:
        self._program, self._layout, self._target = program, layout, target
        self._kernel, self._free = kernel, free
        self._starts = kernel.kernel.sum_sizes
        self._order: _Order | None = None
        self._searched = self._starts[-1] > _MAX_GATHERED

    def of(self, sums: Tensor, tensors: Sequence[Tensor]) -> list[Tensor | None]:
        """Return the gradient of each parameter and buffer.

        Parameters
        ----------
        sums : tensor of shape (n_parts, n_sums + …)
            As the loop computes them, then zeros, for each part of the batch.
        tensors : sequence of tensor
            Parameters and buffers.
        """
        if not self._searched:
            values = self._free.all(tensors)
            if not self._reads_whole_numbers(values, len(tensors)):
                with suppress(RuntimeError):  # an operation refuses the numbered sums: it is no permutation
                    self._order = self._find_order(values)
            self._searched = True
        if self._order is not None:
            return self._order.of(self._kernel.gather(self._order.index, sums))
        return self._assemble(sums[0] if len(sums) == 1 else sums.sum(0), self._free.all(tensors))

    def _assemble(self, sums: Tensor, values: Sequence[Any]) -> list[Tensor | None]:
        values = list(values)
        for found, start, end in zip(self._layout.sums, self._starts, self._starts[1:]):
            width = found.columns.width
            part = sums[start:end].view(-1, self._target.padded(width))[:, :width]
            values[found.slot] = part[0] if found.rows is None else part if found.turned else part.t()
        run_free_calls(self._program.late, values)
        return [None if g is None else values[g.slot] for g in self._program.parameter_grads]

    def _reads_whole_numbers(self, values: Sequence[Any], n_tensors: int) -> bool:
        """Return whether gradients depend on booleans or integers that are computed from the cell's tensors."""
        own = set(range(n_tensors))
        for step in self._program.early:
            if step.reads() & own:
                own.add(step.slot)
        read = {slot for step in self._program.late for slot in step.reads() & own}
        return any(isinstance(values[slot], Tensor) and not values[slot].is_floating_point() for slot in read)

    def _find_order(self, values: Sequence[Any]) -> _Order | None:
        n = self._starts[-1]
        with forked_generators():
            places = self._assemble(torch.arange(1.0, n + 2, dtype=torch.float64), _random_like(values))
            probe = torch.cat([torch.rand(n, dtype=torch.float64) + 1, torch.zeros(1, dtype=torch.float64)])
            expected = self._assemble(probe, _random_like(values))
        index = torch.cat([p.reshape(-1) for p in places if p is not None] or [torch.empty(0)]).long() - 1
        index[index < 0] = n
        if len(index) == 0 or int(index.max()) > n:
            return None
        order = _Order(index.to(torch.int32), [None if p is None else p.shape for p in places])
        found = order.of(probe.index_select(0, index))
        same = all(a is None or torch.equal(a, b) for a, b in zip(expected, found) if b is not None)
        return order if same else None


class _Order:
    """Index of the sum that each element of the gradients equals."""

    def __init__(self, index: Tensor, shapes: list[torch.Size | None]) -> None:
        self.index = index
        self._places: list[tuple[torch.Size, tuple[int, ...], int] | None] = []
        start = 0
        for shape in shapes:
            self._places.append(None if shape is None else (shape, torch.empty(shape, device="meta").stride(), start))
            start += 0 if shape is None else shape.numel()

    def of(self, gathered: Tensor) -> list[Tensor | None]:
        """Split the gathered numbers into the gradients."""
        return [None if place is None else gathered.as_strided(*place) for place in self._places]


def _random_like(values: Sequence[Any]) -> list[Any]:
    """Return random row-free values: a gradient that depends on them is no permutation of the sums."""
    return [
        torch.rand_like(v, dtype=torch.float64) if isinstance(v, Tensor) and v.is_floating_point() else v
        for v in values
    ]
