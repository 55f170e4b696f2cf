"""The number of threads for running a net: for small steps, synchronizing threads costs more than it saves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.dummy import DummyProcess

import torch

from seqpipe.recurrence import POLICY, allowed_threads

__all__ = ["threads_for"]


@contextmanager
def threads_for(batch_size: int, hidden_size: int) -> Iterator[None]:
    """Run torch on one thread in the context if a step is small, and restore its number of threads.

    torch's threads synchronize after every operation of every time step. For a small step they gain little even on an
    idle machine, and if another process uses a core they mostly wait for each other. The compiled engine splits the
    batch instead, so its threads never synchronize: it keeps their number.

    In a pool of threads, such as joblib's, the workers share the threads equally.

    Parameters
    ----------
    batch_size, hidden_size : int
        Sizes of the net.
    """
    if allowed_threads.get() is not None:  # a net run within another net
        yield
        return
    before = _enter()
    share = _share(before)
    token = allowed_threads.set(share)
    try:
        torch.set_num_threads(1 if batch_size * hidden_size**2 < POLICY.one_step else share)
        yield
    finally:
        allowed_threads.reset(token)
        _leave(before)


def _share(n_threads: int) -> int:
    """Return the number of threads of the current thread: all of them, or a worker's share in a pool."""
    if not isinstance(threading.current_thread(), DummyProcess):
        return n_threads
    workers = sum(isinstance(thread, DummyProcess) for thread in threading.enumerate())
    return max(1, n_threads // workers)


_lock = threading.Lock()
_inside: list[int] = []  # the number of torch threads to restore, per thread in the context


def _enter() -> int:
    """Return this thread's number of torch threads, ignoring numbers that other threads have set temporarily.

    The setting is per thread, but a thread new to torch starts with the number that any thread set last.
    """
    with _lock:
        _inside.append(max([torch.get_num_threads(), *_inside]))
        return _inside[-1]


def _leave(before: int) -> None:
    with _lock:
        _inside.remove(before)
        torch.set_num_threads(before)
