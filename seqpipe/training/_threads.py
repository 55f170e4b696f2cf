"""How many threads a net is run on: a small step is not worth the wait of threads for each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seqpipe.recurrence import allowed_threads

__all__ = ["threads_for"]

#: Multiplications of one step's recurrent product from which torch's threads are left alone.
_WORTH_THREADS = 4_000_000


@contextmanager
def threads_for(batch_size: int, hidden_size: int) -> Iterator[None]:
    """Run torch on one thread inside if a step is small, and put its number of threads back.

    torch's threads meet at a barrier after every operation of every time step. With a small step they gain little even
    on an idle machine, and where another process wants a core they wait for each other most of the time. The compiled
    engine cuts the batch instead, so its threads never meet: it keeps their number.

    Parameters
    ----------
    batch_size, hidden_size : int
        Of the net.
    """
    if batch_size * hidden_size**2 >= _WORTH_THREADS:
        yield
        return
    token = allowed_threads.set(_enter_single())
    try:
        yield
    finally:
        allowed_threads.reset(token)
        _leave_single()


_lock = threading.Lock()
_inside: list[int] = []  # one entry a thread that is inside: the number of torch's threads when the first came


def _enter_single() -> int:
    with _lock:
        _inside.append(_inside[0] if _inside else torch.get_num_threads())
        torch.set_num_threads(1)
        return _inside[0]


def _leave_single() -> None:
    with _lock:
        before = _inside.pop()
        if not _inside:
            torch.set_num_threads(before)
