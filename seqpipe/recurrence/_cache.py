"""Files in the user's cache folder, shared between processes and used only if they are trusted."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
import warnings
from contextlib import suppress
from multiprocessing.util import Finalize
from pathlib import Path

from seqpipe.exceptions import SeqpipeWarning

__all__ = ["cache_folder", "digest_of", "discard_unused", "is_trusted", "keep_text", "mark_used", "private_folder"]

_UNUSED_SECONDS = 90 * 24 * 3600.0
_PATTERNS = ("*.so", "*.dll", "*.py", "*.json", "build-*")


class _Process:
    """State of one process; a forked process starts with its own lock and private folder."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.lock = threading.RLock()
        self.private: Path | None = None


_PROCESS = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PROCESS.reset)


def keep_text(text: str, suffix: str) -> Path:
    """Write a text to a file in the cache folder, or in a private folder if that is unusable, and return its path."""
    name = f"{digest_of(text.encode())}{suffix}"
    with _PROCESS.lock:
        folder = cache_folder()
        if folder is not None:
            with suppress(OSError):
                return _keep(folder / name, text)
        return _keep(private_folder() / name, text)


def _keep(path: Path, text: str) -> Path:
    """Write the file, unless it exists with this content."""
    if path.exists() and not is_trusted(path):
        raise PermissionError(f"{path} is owned or writable by another user")
    if not path.exists() or path.read_bytes() != text.encode():
        discard_unused(path.parent)
        with tempfile.TemporaryDirectory(prefix="build-", dir=path.parent, ignore_cleanup_errors=True) as folder:
            built = Path(folder) / path.name
            built.write_bytes(text.encode())
            built.chmod(0o600)
            built.replace(path)
    mark_used(path)
    return path


def cache_folder() -> Path | None:
    """Return the folder ``compiler`` in ``SEQPIPE_CACHE`` or else in the user's cache; None if it is unusable."""
    try:
        folder = _user_cache() / "compiler"
        folder.mkdir(0o700, parents=True, exist_ok=True)
        return folder if is_trusted(folder) else None
    except (OSError, RuntimeError):  # RuntimeError: the user has no home folder
        return None


def _user_cache() -> Path:
    if chosen := os.environ.get("SEQPIPE_CACHE"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "seqpipe"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "seqpipe"
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(chosen) if os.path.isabs(chosen) else Path.home() / ".cache") / "seqpipe"


def private_folder() -> Path:
    """Return a temporary folder of this process, deleted at its end."""
    with _PROCESS.lock:
        if _PROCESS.private is None:
            _PROCESS.private = Path(tempfile.mkdtemp(prefix="seqpipe-"))
            # Unlike atexit, this also runs at the end of a worker forked by multiprocessing.
            Finalize(None, shutil.rmtree, args=(_PROCESS.private, True), exitpriority=0)
        return _PROCESS.private


def is_trusted(path: Path) -> bool:
    """Return whether a path belongs to this user and nobody else can write to it; warn if not."""
    if os.name != "posix":
        return True
    status = path.stat()
    if status.st_uid != os.geteuid():
        reason = f"it belongs to user {status.st_uid}"
    elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        reason = f"other users can write to it (mode {stat.S_IMODE(status.st_mode):o})"
    else:
        return True
    warnings.warn(
        f"The compiled cells in {str(path)!r} are not used: {reason}. They are compiled again for this process; remove "
        f"it, or set SEQPIPE_CACHE to a folder that only you can write to.",
        SeqpipeWarning,
        stacklevel=2,
    )
    return False


def discard_unused(folder: Path) -> None:
    """Delete files unused for 90 days, including leftovers of interrupted builds."""
    oldest = time.time() - _UNUSED_SECONDS
    for path in [found for pattern in _PATTERNS for found in folder.glob(pattern)]:
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def mark_used(path: Path) -> None:
    """Keep a file for another 90 days."""
    with suppress(OSError):  # a read-only cache is still usable
        os.utime(path)


def digest_of(content: bytes) -> str:
    """Return the SHA-256 digest of some bytes as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
