"""A clock for the one-off costs of engines: planning, compilation and comparison with the plain loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["compile_seconds", "compiling"]


class _Clock(threading.local):
    """One clock per thread, so that parallel fits do not count each other's compilations."""

    total = 0.0
    depth = 0


_CLOCK = _Clock()


@contextmanager
def compiling() -> Iterator[None]:
    """Count the time inside as compilation; also a decorator. Nested contexts count once."""
    _CLOCK.depth += 1
    began = time.perf_counter()
    try:
        yield
    finally:
        _CLOCK.depth -= 1
        if _CLOCK.depth == 0:
            _CLOCK.total += time.perf_counter() - began


def compile_seconds() -> float:
    """Return the total seconds that this thread has spent on planning, compiling and comparing engines."""
    return _CLOCK.total
