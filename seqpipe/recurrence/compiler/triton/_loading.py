"""From the text of kernels to functions that Triton compiles when they are first called."""

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
    """Tell whether Triton is installed; it is not imported."""
    return find_spec("triton") is not None


def is_interpreted() -> bool:
    """Tell whether kernels run in Triton's interpreter, which takes tensors on a CPU: TRITON_INTERPRET=1."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "yes", "on", "y")


def load_kernels(text: str) -> dict[str, Any]:
    """Return what a text defines, by name; Triton reads the text again from the file that it is kept in."""
    key = text, is_interpreted()
    with _LOCK:
        scope = _loaded.get(key)
        if scope is None:
            scope = {"__name__": "seqpipe_kernels"}
            exec(compile(text, str(keep_text(text, ".py")), "exec"), scope)
            _loaded[key] = scope
        return scope
