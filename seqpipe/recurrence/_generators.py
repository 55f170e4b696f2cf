"""A lock on torch's random generators, which all threads of a process share."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["GENERATORS", "forked_generators", "random_state"]


class _ForkSafeLock:
    """A reentrant lock that is free in a forked process if another thread of its parent held it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def reset_after_fork(self) -> None:
        """Replace the lock unless it is free or held by the thread that forked."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = threading.RLock()


#: Held while the state of torch's generators differs from the one the user set. Engines also plan and compare under
#: it, because both draw random numbers: with a separate lock, a fit that holds the generators and needs a plan could
#: deadlock with a plan that needs the generators.
GENERATORS = _ForkSafeLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=GENERATORS.reset_after_fork)


@contextmanager
def forked_generators(device: torch.device | str = "cpu") -> Iterator[None]:
    """Restore torch's generators on exit, and keep other threads that use this context waiting until then.

    Parameters
    ----------
    device : torch.device or str, default="cpu"
        Device whose generator is restored in addition to the CPU's.
    """
    device = torch.device(device)
    with GENERATORS, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


def random_state(device: torch.device) -> tuple[Tensor, ...]:
    """Return the states of torch's random generators, of the host and of the device."""
    host = torch.get_rng_state()
    return (host,) if device.type == "cpu" else (host, torch.get_device_module(device).get_rng_state(device))
