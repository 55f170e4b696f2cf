"""Whether objects are being written to a file that others may read, rather than copied or sent to another process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["is_writing", "writing"]

_WRITING: ContextVar[bool] = ContextVar("writing", default=False)


@contextmanager
def writing() -> Iterator[None]:
    """Leave out of states, within the context, what has a meaning on this machine only, such as folders."""
    token = _WRITING.set(True)
    try:
        yield
    finally:
        _WRITING.reset(token)


def is_writing() -> bool:
    """Return whether a file is being written."""
    return _WRITING.get()
