"""Files in the user's cache folder, shared between processes and used only if no other user could have written them."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import threading
import time
import warnings
from contextlib import suppress
from multiprocessing.util import Finalize
from pathlib import Path

from seqpipe.exceptions import CompilerError, SeqpipeWarning
from seqpipe.recurrence._trusted import Distrust, distrust_of_file, distrust_of_folder, distrust_of_place

__all__ = [
    "cache_folder",
    "digest_of",
    "discard_unused",
    "is_trusted",
    "keep_text",
    "mark_used",
    "private_folder",
    "warn_once",
]

_UNUSED_SECONDS = 90 * 24 * 3600.0
_PATTERNS = ("*.so", "*.dll", "*.py", "*.json", "build-*")


class _Process:
    """State of one process; a forked process starts with its own lock and private folder, and knows what was told."""

    def __init__(self) -> None:
        self.told: set[str] = set()
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
    """Return the folder ``compiler`` in ``SEQPIPE_CACHE`` or else in the user's cache; None if it is unusable.

    It is usable if no other user can write to it or replace a component of its path; else a warning names the component.
    """
    try:
        folder = _user_cache() / "compiler"
        missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
        found = distrust_of_place(missing[-1].parent if missing else folder)
        if found is None:
            for each in reversed(missing):  # unlike parents=True, without the permissions of the umask
                each.mkdir(0o700, exist_ok=True)
            found = distrust_of_folder(folder)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home folder
        return None
    if found is not None:
        _warn(found, f"kept in {str(folder)!r}", "compiled in a private folder, which ends with this process")
    return folder if found is None else None


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
    """Return a temporary folder of this process, deleted at its end.

    Raises
    ------
    CompilerError
        If another user could replace it, as the folder for temporary files is not safe.
    """
    with _PROCESS.lock:
        if _PROCESS.private is None:
            made = Path(tempfile.mkdtemp(prefix="seqpipe-"))
            # Unlike atexit, this also runs at the end of a worker forked by multiprocessing.
            Finalize(None, shutil.rmtree, args=(made, True), exitpriority=0)
            if (found := distrust_of_folder(made)) is not None:
                raise CompilerError(
                    f"There is no safe folder for compiled cells. {str(found.component)!r}: {found.reason}; "
                    f"{found.remedy}, or set TMPDIR or SEQPIPE_CACHE to a folder that only you can write to."
                )
            _PROCESS.private = made
        return _PROCESS.private


def is_trusted(path: Path) -> bool:
    """Return whether a file is a regular one of this user and nobody else can write to it; warn if not."""
    found = distrust_of_file(path)
    if found is not None:
        _warn(found, "loaded from the cache", "compiled again for this process")
    return found is None


def warn_once(about: str, message: str) -> None:
    """Warn, unless this process or its parent has already warned about it."""
    with _PROCESS.lock:
        if about in _PROCESS.told:
            return
        _PROCESS.told.add(about)
    warnings.warn(message, SeqpipeWarning, stacklevel=2)


def _warn(found: Distrust, not_done: str, instead: str) -> None:
    warn_once(
        str(found.component),
        f"Compiled cells are not {not_done}, since another user may have changed them. {str(found.component)!r}: "
        f"{found.reason}. They are {instead}; {found.remedy}, or set SEQPIPE_CACHE to a folder that only you can write to.",
    )


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
