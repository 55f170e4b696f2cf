"""Where the journals of a store lie."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from seqpipe.tracking._uri import database_path

__all__ = ["is_known", "journal_prefix", "remember"]

_SUFFIX, _KNOWN = ".journal-", ".known"


def journal_prefix(uri: str) -> Path:
    """Return how the paths of a store's journals begin.

    They lie in SEQPIPE_JOURNAL, else beside the database file of an embedded store, else in the user's state folder. User
    names and passwords in the URI make no difference.
    """
    chosen = os.environ.get("SEQPIPE_JOURNAL")
    database = database_path(uri)
    if database is not None and not chosen:
        return database.with_name(database.name + _SUFFIX)
    folder = Path(chosen).expanduser().absolute() if chosen else _state_folder()
    return folder / f"{_name(uri)}{_SUFFIX}"


def is_known(uri: str) -> bool:
    """Return whether the store was used before, so that silence means that it is away, not that its URI is wrong."""
    database = database_path(uri)
    try:
        return _marker(uri).exists() if database is None else database.stat().st_size > 0
    except (OSError, RuntimeError):
        return False


def remember(uri: str) -> None:
    """Note that a store was used; an embedded one is its own evidence."""
    if database_path(uri) is None:
        marker = _marker(uri)
        marker.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        marker.touch()


def _marker(uri: str) -> Path:
    prefix = journal_prefix(uri)
    return prefix.with_name(prefix.name.removesuffix(_SUFFIX) + _KNOWN)


def _name(uri: str) -> str:
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    plain = parts._replace(netloc=host).geturl().rstrip("/")
    readable = re.sub(r"[^\w.-]+", "-", host) or "store"
    return f"{readable}-{hashlib.sha256(plain.encode()).hexdigest()[:12]}"


def _state_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "seqpipe" / "journal"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "seqpipe" / "journal"
    chosen = os.environ.get("XDG_STATE_HOME", "")
    return (Path(chosen) if os.path.isabs(chosen) else Path.home() / ".local" / "state") / "seqpipe" / "journal"
