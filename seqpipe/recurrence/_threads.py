"""How many threads an engine may split a batch over, and the threads themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import ContextVar

import torch

__all__ = ["allowed_threads", "n_threads", "run_in_threads"]

#: Set where torch itself is held to one thread, because its threads meet after every operation: an engine's do not.
allowed_threads: ContextVar[int | None] = ContextVar("allowed_threads", default=None)

_pool: ThreadPoolExecutor | None = None


def n_threads() -> int:
    """Return the number of threads that an engine may use."""
    return allowed_threads.get() or torch.get_num_threads()


def run_in_threads(tasks: Sequence[Callable[[], object]]) -> None:
    """Run tasks that release Python's lock, the first one in this thread, and wait for all."""
    if len(tasks) == 1:
        tasks[0]()
        return
    global _pool
    if _pool is None or _pool._max_workers < len(tasks) - 1:
        _pool = ThreadPoolExecutor(max(len(tasks) - 1, (os.cpu_count() or 1)), thread_name_prefix="seqpipe-engine")
    futures = [_pool.submit(task) for task in tasks[1:]]
    try:
        tasks[0]()
    finally:
        wait(futures)
    for future in futures:
        future.result()


def _forget_pool() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_forget_pool)
