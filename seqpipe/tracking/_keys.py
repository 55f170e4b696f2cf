"""Names of entries as keys that MLflow accepts."""

from __future__ import annotations

import hashlib
import re

__all__ = ["KEY_LENGTH", "as_path", "stored_key"]

#: Maximum number of characters of a name in MLflow.
KEY_LENGTH = 250
_INVALID = re.compile(r"[^\w .:/-]")


def stored_key(taken: dict[tuple[str, str], str], kind: str, name: str) -> str:
    """Return the key of an entry: valid in MLflow and unique among those of its kind in its run, which ``taken`` holds."""
    key = as_path(_INVALID.sub("_", name)[:KEY_LENGTH])
    if taken.setdefault((kind, key), name) == name:
        return key
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{key[: KEY_LENGTH - 9]}-{digest}"


def as_path(name: str) -> str:
    """Return a name without empty, "." and ".." path components, which MLflow rejects."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", "..")) or "_"
