"""How long engines were planned, compiled and compared: what a process pays once, and no update of a fit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["compile_seconds", "compiling"]


class _Clock(threading.local):
    """Each thread has its own: fits side by side do not count each other's compilations."""

    total = 0.0
    depth = 0


_CLOCK = _Clock()


@contextmanager
def compiling() -> Iterator[None]:
    """Count the time inside as compilation; it also decorates a function. What is nested counts once."""
    _CLOCK.depth += 1
    began = time.perf_counter()
    try:
        yield
    finally:
        _CLOCK.depth -= 1
        if _CLOCK.depth == 0:
            _CLOCK.total += time.perf_counter() - began


def compile_seconds() -> float:
    """Return the seconds that this thread has planned, compiled and compared engines for since it began."""
    return _CLOCK.total
