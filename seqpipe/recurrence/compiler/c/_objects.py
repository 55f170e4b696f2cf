"""Shared objects built from C: compiled once, cached on disk, loaded once per process.

An object's file name holds the key of its build recipe and the digest of its content. It is published atomically by a
rename, and a damaged file is detected before it reaches the dynamic linker, which may crash on it.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seqpipe.exceptions import CompilerError
from seqpipe.recurrence._cache import (
    cache_folder,
    digest_of,
    discard_unused,
    is_trusted,
    mark_used,
    private_folder,
    warn_once,
)
from seqpipe.recurrence._machine import processor
from seqpipe.recurrence._recent import Recent
from seqpipe.recurrence.compiler.c._toolchain import Compiler, compile_source, find_compiler, object_flags
from seqpipe.recurrence.engines import compiling

__all__ = ["LIBRARIES", "Libraries", "load"]

#: Size of the in-memory cache of libraries. An evicted library stays loaded, and is found on disk again.
_MAX_LIBRARIES = 1024
_SUFFIX = ".dll" if os.name == "nt" else ".so"


@dataclass(frozen=True)
class _Recipe:
    """Everything that an object is built from."""

    source: str
    compiler: Compiler
    flags: tuple[tuple[str, ...], ...]

    @property
    def key(self) -> str:
        """Identifies this recipe on this machine."""
        return digest_of(repr((self, processor())).encode())


class Libraries:
    """The libraries that a process has loaded; a forked child has its own lock and the libraries of its parent."""

    def __init__(self) -> None:
        self._loaded: Recent[_Recipe, ctypes.CDLL] = Recent(_MAX_LIBRARIES)
        self.start()

    def start(self) -> None:
        """Create the lock."""
        self.lock = threading.Lock()

    def load(self, source: str, optimization: str = "-O2") -> ctypes.CDLL:
        """Load the object of a source; see `load`.

        The generated C is explicitly vectorized: -O3 doubles the compile time and makes it no faster.
        """
        compiler = find_compiler()
        recipe = _Recipe(source, compiler, object_flags(compiler, optimization))
        with self.lock:
            library = self._loaded.get(recipe)
            if library is None:
                library = self._loaded[recipe] = _load(recipe)
            return library


LIBRARIES = Libraries()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LIBRARIES.start)


@compiling()
def load(source: str) -> ctypes.CDLL:
    """Compile C11 ``source`` into a shared object, unless it is cached, and load it.

    Objects are cached in the folder ``compiler`` of ``SEQPIPE_CACHE``, else of ``seqpipe`` in the user's cache folder.
    If that folder is not writable, or another user can write to it or replace a component of its path, a private folder
    is used until the process ends. An object is loaded only if it has the digest in its name.

    Parameters
    ----------
    source : str
        A complete translation unit.

    Returns
    -------
    ctypes.CDLL
        The library; the same object for repeated calls in one process.

    Raises
    ------
    CompilerError
        If there is no C compiler, compilation fails, or the object cannot be loaded.
    """
    return LIBRARIES.load(source)


def _load(recipe: _Recipe) -> ctypes.CDLL:
    """Load the cached object, else build one in the cache, else in a private folder."""
    folder = cache_folder()
    if folder is not None:
        with suppress(OSError):  # a full, read-only or noexec disk
            return _load_cached(folder, recipe) or _build(folder, recipe)
    try:
        return _build(private_folder(), recipe)
    except OSError as error:
        raise CompilerError(
            f"The output of {recipe.compiler.version!r} cannot be stored or loaded: {error}. Set SEQPIPE_CACHE to a "
            f"folder of yours with free space, on a disk that allows running programs."
        ) from error


def _load_cached(folder: Path, recipe: _Recipe) -> ctypes.CDLL | None:
    """Load the object from ``folder``; return None if there is no intact one."""
    for path in sorted(folder.glob(f"{recipe.key}.*{_SUFFIX}")):
        if not is_trusted(path):
            raise PermissionError(f"{path} is not private to this user")
        with suppress(OSError):
            if path.name == _object_name(recipe, path.read_bytes()):
                library = ctypes.CDLL(str(path))
                mark_used(path)
                return library
            warn_once(
                "damage", f"The compiled cell {str(path)!r} is damaged: it, and others like it, are compiled again."
            )
        with suppress(OSError):
            path.unlink()
    return None


def _build(folder: Path, recipe: _Recipe) -> ctypes.CDLL:
    """Compile in a temporary folder, publish the object by a rename, and load it."""
    discard_unused(folder)
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder, ignore_cleanup_errors=True) as workplace:
        built = Path(workplace) / f"cell{_SUFFIX}"
        compile_source(recipe.compiler, recipe.source, built, recipe.flags, scratch=folder / "scratch")
        built.chmod(0o700)
        path = folder / _object_name(recipe, built.read_bytes())
        built.replace(path)
    return ctypes.CDLL(str(path))


def _object_name(recipe: _Recipe, content: bytes) -> str:
    return f"{recipe.key}.{digest_of(content)}{_SUFFIX}"
