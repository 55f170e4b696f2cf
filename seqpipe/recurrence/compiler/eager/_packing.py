"""The valid steps of a batch, packed step by step, with the rows of a step in decreasing order of length."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

__all__ = ["Packing"]


class Packing:
    """The positions of each row's steps, so that finished rows cost nothing and the padding is never read.

    A *stack* holds a state: all initial rows, then after each step the rows valid at it. A *flat* tensor has the rows
    of the steps alone.

    Parameters
    ----------
    batch_size, n_timesteps : int
    lengths : tensor of int64, shape (batch_size,), or None
        None if every step is valid.
    device : torch.device
    """

    def __init__(self, batch_size: int, n_timesteps: int, lengths: Tensor | None, device: torch.device) -> None:
        self.batch_size, self.n_timesteps = batch_size, n_timesteps
        self.ragged = lengths is not None and bool((lengths < n_timesteps).any())
        self.counts = [batch_size] * n_timesteps
        self.n_rows = batch_size * n_timesteps
        if self.ragged:
            assert lengths is not None
            self._sort(lengths.cpu(), device)

    def _sort(self, lengths: Tensor, device: torch.device) -> None:
        lengths, order = lengths.sort(descending=True, stable=True)
        running = torch.arange(int(lengths[0]))[:, None] < lengths
        self.counts = running.sum(1).tolist()
        self.n_rows = sum(self.counts)
        t, row = running.nonzero(as_tuple=True)
        starts = torch.tensor([0, *accumulate(self.counts, initial=self.batch_size)][:-1])
        self._order = order.to(device)
        self._source = (order[row] * self.n_timesteps + t).to(device)
        self._before = (starts[t] + row).to(device)
        self._last = (starts[lengths] + torch.arange(self.batch_size)).to(device)

    def pack(self, x: Tensor) -> Tensor:
        """Return x of shape (batch, n_timesteps, …) as a flat tensor."""
        if self.ragged:
            return x.flatten(0, 1).index_select(0, self._source)
        return x.transpose(0, 1).reshape(self.n_rows, *x.shape[2:])

    def pack_into(self, flat: Tensor, x: Tensor) -> None:
        """Write x of shape (batch, n_timesteps, …) to a flat tensor."""
        if self.ragged:
            torch.index_select(x.flatten(0, 1), 0, self._source, out=flat)
        else:
            flat.view(self.n_timesteps, self.batch_size, *x.shape[2:]).copy_(x.transpose(0, 1))

    def unpack(self, flat: Tensor) -> Tensor:
        """Return a flat tensor as (batch, n_timesteps, …), zero in the padding."""
        shape = (self.batch_size, self.n_timesteps, *flat.shape[1:])
        if self.ragged:
            return (
                flat.new_zeros(self.batch_size * self.n_timesteps, *flat.shape[1:])
                .index_copy_(0, self._source, flat)
                .view(shape)
            )
        return flat.view(self.n_timesteps, self.batch_size, *flat.shape[1:]).transpose(0, 1)

    def stack(self, first: Tensor) -> Tensor:
        """Return a stack initialized with the state before the first step."""
        stack = first.new_empty(self.batch_size + self.n_rows, *first.shape[1:])
        stack[: self.batch_size] = first[self._order] if self.ragged else first
        return stack

    def stack_back(self, last: Tensor, addend: Tensor | None, *, packed: bool = True) -> Tensor:
        """Return a stack with the gradient of each row's last state at its position, plus an addend."""
        stack = last.new_empty(self.batch_size + self.n_rows, *last.shape[1:])
        if addend is not None:
            stack[: self.batch_size] = 0
            (torch.Tensor.copy_ if packed else self.pack_into)(self.after(stack), addend)
        if self.ragged:
            last = last[self._order]
            stack[self._last] = last if addend is None else stack[self._last] + last
        elif addend is None:
            stack[self.n_rows :] = last
        else:
            stack[self.n_rows :] += last
        return stack

    def first(self, stack: Tensor) -> Tensor:
        """Return the rows before the first step, in the order of the batch."""
        return self._in_order(stack[: self.batch_size])

    def last(self, stack: Tensor) -> Tensor:
        """Return each row after its last step, in the order of the batch."""
        return self._in_order(stack[self._last] if self.ragged else stack[self.n_rows :])

    def _in_order(self, rows: Tensor) -> Tensor:
        return torch.empty_like(rows).index_copy_(0, self._order, rows) if self.ragged else rows.clone()

    def after(self, stack: Tensor) -> Tensor:
        """Return the state after each step, flat."""
        return stack[self.batch_size :]

    def before(self, stack: Tensor) -> Tensor:
        """Return the state before each step, flat."""
        return stack.index_select(0, self._before) if self.ragged else stack[: self.n_rows]

    def set_before(self, stack: Tensor, flat: Tensor) -> None:
        """Set the state before each step."""
        if self.ragged:
            stack.index_copy_(0, self._before, flat)
        else:
            stack[: self.n_rows] = flat

    def split(self, flat: Tensor, dim: int = 0, times: int = 1) -> tuple[Tensor, ...]:
        """Split a flat tensor into its steps."""
        return _cut(flat, self.counts, dim, times)

    def runs(self, n_rows: int) -> list[list[int]]:
        """Return the row counts of successive steps, in groups of at most ``n_rows`` rows or a single step."""
        groups: list[list[int]] = []
        left = 0
        for count in self.counts:
            if not groups or count > left:
                groups.append([])
                left = n_rows
            groups[-1].append(count)
            left -= count
        return groups

    @staticmethod
    def split_runs(shared: Tensor, runs: list[list[int]], dim: int = 0, times: int = 1) -> list[Tensor]:
        """Split a tensor that all groups of steps reuse into the steps of each group."""
        found: dict[tuple[int, ...], Any] = {}
        for run in runs:
            counts = tuple(run)
            if counts not in found:
                found[counts] = _cut(shared.narrow(dim, 0, times * sum(run)), run, dim, times)
        return [step for run in runs for step in found[tuple(run)]]

    def steps_of(self, stack: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return for each step the valid rows of the state before it and after it."""
        steps = _cut(stack, [self.batch_size, *self.counts])
        before = list(steps[:-1])
        if self.ragged:
            before = [step[:count] for step, count in zip(before, self.counts)]
        return before, list(steps[1:])

    def shared(self, tensor: Tensor, dim: int = 0, times: int = 1) -> list[Tensor]:
        """Return for each step the first rows of the same tensor."""
        parts: dict[int, Any] = {count: tensor.narrow(dim, 0, times * count) for count in set(self.counts)}
        return [parts[count] for count in self.counts]


def _cut(tensor: Tensor, counts: list[int], dim: int = 0, times: int = 1) -> tuple[Tensor, ...]:
    # Unsafe: each step is written separately, so autograd need not track views.
    return torch.unsafe_split_with_sizes(tensor, [times * count for count in counts], dim)
