"""Calls a compiled kernel: resolves its arguments by key and splits the batch into parts for the threads."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.c._kernel import CKernel
from seqpipe.recurrence.compiler.c._objects import load
from seqpipe.recurrence.engines import Pace, openmp, run_in_threads

__all__ = ["CompiledKernel", "Parts"]

_Key = tuple[object, ...]
_POINTER, _INTEGER = ctypes.c_void_p, ctypes.c_int64


@dataclass(frozen=True)
class Parts:
    """The split of a batch into parts, as the C makes it: whole members first, and one cut per thread of the others.

    Attributes
    ----------
    members : int
        Number of cells with an equal block of rows each.
    threads : int
        Number of threads for which the batch is split.
    """

    members: int
    threads: int

    def __len__(self) -> int:
        return self._whole + self.members % self.threads * self.threads

    @property
    def _whole(self) -> int:
        return self.members - self.members % self.threads

    def of(self, member: int) -> slice:
        """Return the indices of a member's parts."""
        if member < self._whole:
            return slice(member, member + 1)
        start = self._whole + (member - self._whole) * self.threads
        return slice(start, start + self.threads)


class CompiledKernel:
    """A kernel, compiled on construction.

    Parameters
    ----------
    kernel : CKernel
    """

    def __init__(self, kernel: CKernel) -> None:
        self.kernel = kernel
        library = load(kernel.source)
        self._one, self._team, self._gather = library.run_one, library.run_team, library.gather
        self._one.argtypes = [_POINTER, _POINTER, _INTEGER, _INTEGER, _INTEGER]
        self._team.argtypes = [_POINTER, _POINTER, _INTEGER, _INTEGER, _POINTER, _POINTER, _POINTER]
        self._gather.argtypes = [_POINTER, _POINTER, _INTEGER, _POINTER, _INTEGER]
        self._gather.restype = None
        self._pace = Pace()
        self._numbers = _INTEGER * len(kernel.numbers)

    def run(
        self,
        numbers: Mapping[_Key, int],
        addresses: Sequence[Mapping[_Key, int]],
        parts: Parts,
        *,
        short: bool,
        alive: Any,
    ) -> None:
        """Run all parts of a batch, in parallel where that is faster.

        Parameters
        ----------
        numbers : mapping
            Integer arguments by the kernel's keys; missing ones are 0.
        addresses : sequence of mapping
            Pointers by the kernel's keys, for each member; missing ones are 0.
        parts : Parts
            How the batch is split.
        short : bool
            Whether the run is so short that threads may cost more than they save.
        alive : object
            Keeps the memory at these addresses alive, even if Ctrl-C interrupts the wait for a thread.

        Raises
        ------
        MemoryError
            If the kernel cannot allocate its own buffers.
        """
        keys = self.kernel.pointers
        n = self._numbers(*[numbers.get(key, 0) for key in self.kernel.numbers])
        p = (_POINTER * (len(keys) * len(addresses)))(*[own.get(key, 0) for own in addresses for key in keys])
        arguments = n, p, parts.members, parts.threads
        if len(parts) == 1:
            self._check(self._one(*arguments, 0))
            return
        alone = parts.threads == 1
        together = not alone and (self._pace.together or not short)
        start = time.perf_counter()
        if not together:
            self._check(max([self._one(*arguments, part) for part in range(len(parts))]))
        elif (team := openmp()) is not None:
            self._check(self._team(*arguments, team.parallel, team.number, team.size))
        else:
            run_in_threads([_Part(self, arguments, part, alive) for part in range(len(parts))])
        if short and not alone:
            self._pace.took(together, (time.perf_counter() - start) / (numbers[("B",)] * numbers[("T",)]))

    def gather(self, index: Tensor, sums: Tensor) -> Tensor:
        """Return the sums (parts, n_sums), added over all parts, at ``index``, of int32 and shape (n,)."""
        gathered = torch.empty(len(index), dtype=sums.dtype)
        self._gather(gathered.data_ptr(), index.data_ptr(), len(index), sums.data_ptr(), len(sums))
        return gathered

    def _check(self, failed: int) -> None:
        if failed:
            raise MemoryError("The compiled recurrence could not allocate its working memory.")


class _Part:
    def __init__(self, kernel: CompiledKernel, arguments: tuple[Any, ...], part: int, alive: Any) -> None:
        self.kernel, self.arguments, self.alive = kernel, (*arguments, part), alive

    def __call__(self) -> None:
        self.kernel._check(self.kernel._one(*self.arguments))
