"""How many threads a net is run on: a small step is not worth the wait of threads for each other."""

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
    """Run torch on one thread inside if a step is small, and put its number of threads back.

    torch's threads meet at a barrier after every operation of every time step. With a small step they gain little even
    on an idle machine, and where another process wants a core they wait for each other most of the time. The compiled
    engine cuts the batch instead, so its threads never meet: it keeps their number.

    In a pool of threads, such as joblib's, each worker has its share of them.

    Parameters
    ----------
    batch_size, hidden_size : int
        Of the net.
    """
    if allowed_threads.get() is not None:  # a net that is run inside the run of another
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
    """Return how many threads are for this one: all, but for the workers of a pool, which divide them."""
    if not isinstance(threading.current_thread(), DummyProcess):
        return n_threads
    workers = sum(isinstance(thread, DummyProcess) for thread in threading.enumerate())
    return max(1, n_threads // workers)


_lock = threading.Lock()
_inside: list[int] = []  # one entry a thread that is inside: the number of torch's threads to put back


def _enter() -> int:
    """Return the number of torch's threads, which each thread has for itself, without those that others set for a while.

    A thread that is new to torch begins with the number that any thread set last.
    """
    with _lock:
        _inside.append(max([torch.get_num_threads(), *_inside]))
        return _inside[-1]


def _leave(before: int) -> None:
    with _lock:
        _inside.remove(before)
        torch.set_num_threads(before)
