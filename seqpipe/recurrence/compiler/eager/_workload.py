"""Chooses the number of torch threads for a plan: threads synchronize after every operation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from seqpipe.recurrence.compiler.eager._graph import Value
from seqpipe.recurrence.compiler.eager._packing import Packing
from seqpipe.recurrence.engines import POLICY, ThreadPolicy

__all__ = ["Workload", "multiplications"]


class Workload:
    """The matrix products of a plan.

    Parameters
    ----------
    outside, in_runs, in_steps : iterable of Value
        Values computed for all steps at once, per run of steps, and per step.
    policy : ThreadPolicy, default=POLICY
    """

    def __init__(
        self,
        outside: Iterable[Value],
        in_runs: Iterable[Value],
        in_steps: Iterable[Value],
        policy: ThreadPolicy = POLICY,
    ) -> None:
        self.policy = policy
        self.outside = sum(map(multiplications, outside))
        self.in_runs = max(map(multiplications, in_runs), default=0)
        self.in_steps = max(map(multiplications, in_steps), default=0)

    def threads(self, packing: Packing, device: torch.device) -> AbstractContextManager[int]:
        """Limit torch to one thread in the context unless the products of a batch are large enough."""
        policy = self.policy
        small = packing.n_rows * self.outside < policy.outside_loop and self.in_runs < policy.row_of_run
        return _one_thread(wanted=device.type == "cpu" and small and self._has_small_steps(packing))

    def threads_in_loop(self, packing: Packing, device: torch.device) -> AbstractContextManager[int]:
        """Limit torch to one thread in the context unless a step's products are large; yield the previous number."""
        return _one_thread(wanted=device.type == "cpu" and self._has_small_steps(packing))

    def _has_small_steps(self, packing: Packing) -> bool:
        return packing.batch_size * self.in_steps < self.policy.one_step


def multiplications(value: Value) -> int:
    """Return the number of multiplications per row of a matrix product, or 0 for other operations."""
    if value.name not in ("mm", "addmm"):
        return 0
    rows, columns = (a.shape for a in value.args[-2:])
    return math.prod(s for s in (*rows, *columns) if isinstance(s, int)) // (rows[1] if isinstance(rows[1], int) else 1)


@contextmanager
def _one_thread(*, wanted: bool) -> Iterator[int]:
    number = torch.get_num_threads()
    if number == 1 or not wanted:
        yield number
        return
    torch.set_num_threads(1)
    try:
        yield number
    finally:
        torch.set_num_threads(number)
