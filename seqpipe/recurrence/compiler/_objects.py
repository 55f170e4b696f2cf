"""Shared objects made from C: compiled once, kept in the user's cache, loaded once per process.

An object's file name holds the key of what it was made from and the digest of what it holds, so that one rename
publishes it whole, and a damaged one is known before the dynamic linker, which may crash on it, sees it.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import stat
import sys
import tempfile
import threading
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path

from seqpipe.exceptions import CompilerError, SeqpipeWarning
from seqpipe.recurrence._clock import compiling
from seqpipe.recurrence.compiler._toolchain import Compiler, compile_source, find_compiler, object_flags

__all__ = ["keep_text", "load"]

_SUFFIX = ".dll" if os.name == "nt" else ".so"
_UNUSED_SECONDS = 90 * 24 * 3600.0


@dataclass(frozen=True)
class _Recipe:
    """All that an object is made from."""

    source: str
    compiler: Compiler
    flags: tuple[tuple[str, ...], ...]

    @property
    def key(self) -> str:
        """What tells this recipe, on this machine, from any other."""
        return _digest(repr((self, _machine())).encode())


class _Process:
    """What belongs to one process; a fork starts with its own lock, and with the libraries of its parent."""

    def __init__(self) -> None:
        self.libraries: dict[_Recipe, ctypes.CDLL] = {}
        self.start()

    def start(self) -> None:
        self.lock = threading.Lock()
        self.private: Path | None = None


_PROCESS = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PROCESS.start)


@compiling()
def load(source: str) -> ctypes.CDLL:
    """Compile C11 ``source`` into a shared object, unless that was done before, and load it.

    Objects are kept in the folder ``compiler`` of ``SEQPIPE_CACHE``, else of ``seqpipe`` in the user's cache folder.
    A folder that cannot be written, or that others could write, is replaced by a private one that ends with the process.

    Parameters
    ----------
    source : str
        The whole translation unit.

    Returns
    -------
    ctypes.CDLL
        The library; the same one whenever this process asks for the same again.

    Raises
    ------
    CompilerError
        If there is no C compiler, or it refuses the source, or what it made cannot be loaded.
    """
    compiler = find_compiler()
    recipe = _Recipe(source, compiler, object_flags(compiler))
    with _PROCESS.lock:
        if recipe not in _PROCESS.libraries:
            _PROCESS.libraries[recipe] = _load(recipe)
        return _PROCESS.libraries[recipe]


def keep_text(text: str, suffix: str) -> Path:
    """Return a file that holds a text, in the folder where objects are kept, under the rules that hold for these."""
    name = f"{_digest(text.encode())}{suffix}"
    with _PROCESS.lock:
        folder = _cache_folder()
        if folder is not None:
            with suppress(OSError):
                return _keep(folder / name, text)
        return _keep(_private_folder() / name, text)


def _keep(path: Path, text: str) -> Path:
    """Write the file, unless it is there and whole."""
    if path.exists() and not _trusted(path):
        raise PermissionError(f"{path} is not this user's alone")
    if not path.exists() or path.read_bytes() != text.encode():
        _discard_unused(path.parent)
        with tempfile.TemporaryDirectory(prefix="build-", dir=path.parent, ignore_cleanup_errors=True) as workplace:
            built = Path(workplace) / path.name
            built.write_bytes(text.encode())
            built.chmod(0o600)
            built.replace(path)
    _touch(path)
    return path


def _load(recipe: _Recipe) -> ctypes.CDLL:
    """Load the kept object, else a new one in the cache, else a new one in a private folder."""
    folder = _cache_folder()
    if folder is not None:
        with suppress(OSError):  # a full or read-only disk, or one that nothing may be run from
            return _load_kept(folder, recipe) or _build(folder, recipe)
    try:
        return _build(_private_folder(), recipe)
    except OSError as error:
        raise CompilerError(
            f"What {recipe.compiler.version!r} made cannot be stored or loaded: {error}. Set SEQPIPE_CACHE to a folder "
            f"of yours with room in it, on a disk that programs may be run from."
        ) from error


def _load_kept(folder: Path, recipe: _Recipe) -> ctypes.CDLL | None:
    """Load the object from ``folder``; without one that is whole, return None."""
    for path in sorted(folder.glob(f"{recipe.key}.*{_SUFFIX}")):
        if not _trusted(path):
            raise PermissionError(f"{path} is not this user's alone")
        with suppress(OSError):
            if path.name == _object_name(recipe, path.read_bytes()):
                library = ctypes.CDLL(str(path))
                _touch(path)
                return library
        with suppress(OSError):
            path.unlink()
    return None


def _build(folder: Path, recipe: _Recipe) -> ctypes.CDLL:
    """Compile in a folder of one's own, publish the object by one rename, and load it."""
    _discard_unused(folder)
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder, ignore_cleanup_errors=True) as workplace:
        built = Path(workplace) / f"cell{_SUFFIX}"
        compile_source(recipe.compiler, recipe.source, built, recipe.flags, scratch=folder / "scratch")
        built.chmod(0o700)
        path = folder / _object_name(recipe, built.read_bytes())
        built.replace(path)
    return ctypes.CDLL(str(path))


def _discard_unused(folder: Path) -> None:
    """Delete objects and texts that nobody has loaded for 90 days, and what killed builds left."""
    oldest = time.time() - _UNUSED_SECONDS
    for path in [*folder.glob(f"*{_SUFFIX}"), *folder.glob("*.py"), *folder.glob("build-*")]:
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _touch(path: Path) -> None:
    with suppress(OSError):  # a cache that can only be read is still a cache
        os.utime(path)


def _cache_folder() -> Path | None:
    """Return the folder where objects are kept, or None where there is none to be used."""
    try:
        folder = _user_cache() / "compiler"
        folder.mkdir(0o700, parents=True, exist_ok=True)
        return folder if _trusted(folder) else None
    except (OSError, RuntimeError):  # RuntimeError: nobody's home
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


def _private_folder() -> Path:
    """Return a folder that only this process uses, and that ends with it."""
    if _PROCESS.private is None:
        _PROCESS.private = Path(tempfile.mkdtemp(prefix="seqpipe-"))
        # Unlike atexit, this also runs at the end of a worker that multiprocessing has forked.
        Finalize(None, shutil.rmtree, args=(_PROCESS.private, True), exitpriority=0)
    return _PROCESS.private


def _trusted(path: Path) -> bool:
    """Tell, with a warning if not, whether ``path`` is this user's and nobody else can write it."""
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
        f"The compiled cells in {str(path)!r} are not used: {reason}. They are compiled anew for this process; remove "
        f"it, or set SEQPIPE_CACHE to a folder that only you can write.",
        SeqpipeWarning,
        stacklevel=2,
    )
    return False


def _object_name(recipe: _Recipe, content: bytes) -> str:
    return f"{recipe.key}.{_digest(content)}{_SUFFIX}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def _machine() -> str:
    """Name the processor closely enough to tell what it can run."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = [platform.processor()]
    wanted = ("model name", "flags", "Features", "CPU part")
    found = {line for line in lines if line.startswith(wanted)} or set(lines[:1])
    return "\n".join([platform.machine(), *sorted(found)])
