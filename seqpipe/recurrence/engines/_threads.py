"""The threads over which engines split a batch."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

__all__ = ["OpenMP", "allowed_threads", "n_threads", "openmp", "run_in_threads"]

#: Set where torch is limited to one thread because its threads synchronise after every operation; an engine's do not.
allowed_threads: ContextVar[int | None] = ContextVar("allowed_threads", default=None)


def n_threads() -> int:
    """Return the number of threads that an engine may use."""
    return allowed_threads.get() or torch.get_num_threads()


@dataclass(frozen=True)
class OpenMP:
    """Addresses of functions of torch's own OpenMP library.

    Between operations torch's threads spin without releasing their cores. Separate threads would compete with them for
    the cores, so engines use the same team.
    """

    parallel: int
    number: int
    size: int


class _Process:
    """State of one process; a forked process has none of its parent's threads."""

    def __init__(self) -> None:
        self.pool: ThreadPoolExecutor | None = None
        self.forked = False

    def reset_after_fork(self) -> None:
        self.pool, self.forked = None, True


_PROCESS = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PROCESS.reset_after_fork)


def openmp() -> OpenMP | None:
    """Return torch's OpenMP, or None if it is not GNU's or the process was forked: it would wait for missing threads."""
    return None if _PROCESS.forked else _find_openmp()


@cache
def _find_openmp() -> OpenMP | None:
    if not hasattr(os, "RTLD_NOLOAD"):
        return None
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        try:
            library = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD)
            functions = (library.GOMP_parallel, library.omp_get_thread_num, library.omp_get_num_threads)
        except (OSError, AttributeError):
            continue
        return OpenMP(*(ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions))
    return None


def run_in_threads(tasks: Sequence[Callable[[], object]]) -> None:
    """Run tasks that release the GIL, the first one in this thread, and wait for all."""
    if _PROCESS.pool is None or _PROCESS.pool._max_workers < len(tasks) - 1:
        _PROCESS.pool = ThreadPoolExecutor(
            max(len(tasks) - 1, os.cpu_count() or 1), thread_name_prefix="seqpipe-engine"
        )
    futures = [_PROCESS.pool.submit(task) for task in tasks[1:]]
    try:
        tasks[0]()
    finally:
        wait(futures)
    for future in futures:
        future.result()
