"""torch's generators belong to the process: threads that draw from them, or put them back, take turns."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["GENERATORS", "forked_generators"]


class _Turns:
    """A lock that its holder may take again, and that a fork finds free if another thread of its parent held it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def begin_as_fork(self) -> None:
        """Keep the lock if the thread that forked has it, or nobody."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = threading.RLock()


#: Held while torch's generators are not as their user left them. Engines plan and compare under it, because both draw:
#: with a lock of their own, a fit that draws and wants a plan, and a plan that wants to draw, would wait for each
#: other.
GENERATORS = _Turns()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=GENERATORS.begin_as_fork)


@contextmanager
def forked_generators(device: torch.device | str = "cpu") -> Iterator[None]:
    """Put torch's generators back at the end, and let no other thread that asks so draw until then.

    Parameters
    ----------
    device : torch.device or str, default="cpu"
        Whose generator is put back as well.
    """
    device = torch.device(device)
    with GENERATORS, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
