"""How a worker process reaches the process that began a fit: scikit-learn's own transport, private to it.

It is a local socket, made for callbacks and closed with the object that opened it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqpipe.callbacks import _stand_in

__all__ = ["Channel", "open_channel"]

_transport: Any = _stand_in
try:
    from sklearn.callback import _transport as _sklearn

    if all(hasattr(_sklearn, name) for name in ("open_listener", "send", "_message_consumers")):
        _transport = _sklearn
except ImportError:
    pass


@dataclass(frozen=True, slots=True)
class Channel:
    """A picklable address of a process."""

    handle: Any
    pid: int

    def send(self, message: Any) -> bool:
        """Deliver a message; False if nothing listens there, or it cannot be reached from this process."""
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
