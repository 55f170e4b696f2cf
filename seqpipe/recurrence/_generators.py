"""torch's generators belong to the process: threads that draw from them, or put them back, take turns."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["GENERATORS", "forked_generators"]

#: Held while torch's generators are not as their user left them. Engines plan and compare under it, because both draw:
#: with a lock of their own, a fit that draws and wants a plan, and a plan that wants to draw, would wait for each other.
GENERATORS = threading.RLock()


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
