"""Files in the user's cache folder: kept between processes, and used only where they can be trusted."""

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
    """What belongs to one process; a fork starts with a lock and a private folder of its own."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.lock = threading.RLock()
        self.private: Path | None = None


_PROCESS = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PROCESS.start)


def keep_text(text: str, suffix: str) -> Path:
    """Return a file that holds a text: in the cache folder, or in a private one where that cannot be used."""
    name = f"{digest_of(text.encode())}{suffix}"
    with _PROCESS.lock:
        folder = cache_folder()
        if folder is not None:
            with suppress(OSError):
                return _keep(folder / name, text)
        return _keep(private_folder() / name, text)


def _keep(path: Path, text: str) -> Path:
    """Write the file, unless it is there and whole."""
    if path.exists() and not is_trusted(path):
        raise PermissionError(f"{path} is not this user's alone")
    if not path.exists() or path.read_bytes() != text.encode():
        discard_unused(path.parent)
        with tempfile.TemporaryDirectory(prefix="build-", dir=path.parent, ignore_cleanup_errors=True) as workplace:
            built = Path(workplace) / path.name
            built.write_bytes(text.encode())
            built.chmod(0o600)
            built.replace(path)
    mark_used(path)
    return path


def cache_folder() -> Path | None:
    """Return the folder ``compiler`` of ``SEQPIPE_CACHE``, else of the user's cache; None where it cannot be used."""
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
    """Return a folder that only this process uses, and that is deleted when the process ends."""
    with _PROCESS.lock:
        if _PROCESS.private is None:
            _PROCESS.private = Path(tempfile.mkdtemp(prefix="seqpipe-"))
            # Unlike atexit, this also runs at the end of a worker that multiprocessing has forked.
            Finalize(None, shutil.rmtree, args=(_PROCESS.private, True), exitpriority=0)
        return _PROCESS.private


def is_trusted(path: Path) -> bool:
    """Tell, with a warning if not, whether a path is this user's and nobody else can write it."""
    if os.name != "posix":
        return True
    status = path.stat()
    if status.st_uid != os.geteuid():
        reason = f"it belongs to user {status.st_uid}"
    elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        reason = f"other users may write it (mode {stat.S_IMODE(status.st_mode):o})"
    else:
        return True
    warnings.warn(
        f"The compiled cells in {str(path)!r} are not used: {reason}. They are compiled again for this process; remove "
        f"it, or set SEQPIPE_CACHE to a folder that only you can write.",
        SeqpipeWarning,
        stacklevel=2,
    )
    return False


def discard_unused(folder: Path) -> None:
    """Delete what has not been used for 90 days, and what interrupted builds left."""
    oldest = time.time() - _UNUSED_SECONDS
    for path in [found for pattern in _PATTERNS for found in folder.glob(pattern)]:
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def mark_used(path: Path) -> None:
    """Keep a file for another 90 days."""
    with suppress(OSError):  # a cache that can only be read is still a cache
        os.utime(path)


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
