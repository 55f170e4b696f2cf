"""Calls a compiled kernel: resolves its arguments by key and splits the batch into one part per thread."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.c._kernel import CKernel
from seqpipe.recurrence.compiler.c._objects import load
from seqpipe.recurrence.engines import Pace, openmp, run_in_threads

__all__ = ["CompiledKernel"]

_Key = tuple[object, ...]
_POINTER, _INTEGER = ctypes.c_void_p, ctypes.c_int64


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
        self._one.argtypes = [_POINTER, _POINTER, _INTEGER, _INTEGER]
        self._team.argtypes = [_POINTER, _POINTER, _INTEGER, _POINTER, _POINTER, _POINTER]
        self._gather.argtypes = [_POINTER, _POINTER, _INTEGER, _POINTER, _INTEGER]
        self._gather.restype = None
        self._pace = Pace()
        self._numbers = _INTEGER * len(kernel.numbers)
        self._pointers = _POINTER * len(kernel.pointers)

    def run(
        self, numbers: Mapping[_Key, int], addresses: Mapping[_Key, int], parts: int, *, short: bool, alive: Any
    ) -> None:
        """Run all parts of a batch, in parallel where that is faster.

        Parameters
        ----------
        numbers, addresses : mapping
            Arguments by the kernel's keys; missing ones are 0.
        parts : int
            Number of parts, of about equal numbers of steps, into which the rows are split.
        short : bool
            Whether the run is so short that threads may cost more than they save.
        alive : object
            Keeps the memory at these addresses alive, even if Ctrl-C interrupts the wait for a thread.

        Raises
        ------
        MemoryError
            If the kernel cannot allocate its own buffers.
        """
        n = self._numbers(*[numbers.get(key, 0) for key in self.kernel.numbers])
        p = self._pointers(*[addresses.get(key, 0) for key in self.kernel.pointers])
        if parts == 1:
            self._check(self._one(n, p, 1, 0))
            return
        together = self._pace.together or not short
        start = time.perf_counter()
        if not together:
            self._check(max([self._one(n, p, parts, part) for part in range(parts)]))
        elif (team := openmp()) is not None:
            self._check(self._team(n, p, parts, team.parallel, team.number, team.size))
        else:
            run_in_threads([_Part(self, n, p, parts, part, alive) for part in range(parts)])
        if short:
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
    def __init__(self, kernel: CompiledKernel, n: Any, p: Any, parts: int, part: int, alive: Any) -> None:
        self.kernel, self.arguments, self.alive = kernel, (n, p, parts, part), alive

    def __call__(self) -> None:
        self.kernel._check(self.kernel._one(*self.arguments))
