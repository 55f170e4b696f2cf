"""Loads the source of kernels as functions that Triton compiles on their first call."""

from __future__ import annotations

import os
import threading
from functools import cache
from importlib.util import find_spec
from typing import Any

from seqpipe.recurrence._cache import keep_text
from seqpipe.recurrence._recent import Recent

__all__ = ["has_triton", "is_interpreted", "load_kernels"]

_LOCK = threading.Lock()
_loaded: Recent[tuple[str, bool], dict[str, Any]] = Recent(1024)


@cache
def has_triton() -> bool:
    """Return whether Triton is installed, without importing it."""
    return find_spec("triton") is not None


def is_interpreted() -> bool:
    """Return whether kernels run in Triton's interpreter, which works on a CPU: TRITON_INTERPRET=1."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "yes", "on", "y")


def load_kernels(text: str) -> dict[str, Any]:
    """Return the definitions of a source text by name; it is kept in a file, which Triton reads again."""
    key = text, is_interpreted()
    with _LOCK:
        scope = _loaded.get(key)
        if scope is None:
            scope = {"__name__": "seqpipe_kernels"}
            exec(compile(text, str(keep_text(text, ".py")), "exec"), scope)
            _loaded[key] = scope
        return scope
