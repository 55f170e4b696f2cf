"""How a worker process reaches the process that writes: scikit-learn's own transport, imported here only.

It is a local socket, private to scikit-learn 1.9, made for callbacks and closed with the one that opened it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.callback import _transport

__all__ = ["Channel", "open_channel"]


@dataclass(frozen=True, slots=True)
class Channel:
    """A picklable address of the process that writes."""

    handle: Any
    pid: int

    def send(self, message: Any) -> bool:
        """Deliver a message; False if nobody listens there any more, or on another machine."""
        if self.pid != os.getpid():  # a forked process inherits the listener's consumer, but not its thread
            _transport._message_consumers.pop(self.handle.address, None)
        try:
            _transport.send(self.handle, message)
        except (OSError, EOFError):
            return False
        return True


def open_channel(consume: Callable[[Any], None], owner: object) -> Channel:
    """Listen for as long as ``owner`` lives; ``consume`` is called from any thread."""
    return Channel(_transport.open_listener(consume, owner=owner), os.getpid())
