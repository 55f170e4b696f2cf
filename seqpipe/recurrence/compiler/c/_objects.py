"""Shared objects made from C: compiled once, kept in the user's cache, loaded once per process.

An object's file name holds the key of what it was made from and the digest of what it holds, so that one rename
publishes it whole, and a damaged one is known before the dynamic linker, which may crash on it, sees it.
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
from seqpipe.recurrence._cache import cache_folder, digest_of, discard_unused, is_trusted, mark_used, private_folder
from seqpipe.recurrence._machine import processor
from seqpipe.recurrence._recent import Recent
from seqpipe.recurrence.compiler.c._toolchain import Compiler, compile_source, find_compiler, object_flags
from seqpipe.recurrence.engines import compiling

__all__ = ["load"]

#: Libraries that are remembered by their source. One that is forgotten stays loaded, and is found on disk again.
_MOST_LIBRARIES = 1024
_SUFFIX = ".dll" if os.name == "nt" else ".so"


@dataclass(frozen=True)
class _Recipe:
    """All that an object is made from."""

    source: str
    compiler: Compiler
    flags: tuple[tuple[str, ...], ...]

    @property
    def key(self) -> str:
        """What tells this recipe, on this machine, from any other."""
        return digest_of(repr((self, processor())).encode())


class _Process:
    """What belongs to one process; a fork starts with its own lock, and with the libraries of its parent."""

    def __init__(self) -> None:
        self.libraries: Recent[_Recipe, ctypes.CDLL] = Recent(_MOST_LIBRARIES)
        self.start()

    def start(self) -> None:
        self.lock = threading.Lock()


_PROCESS = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PROCESS.start)


@compiling()
def load(source: str) -> ctypes.CDLL:
    """Compile C11 ``source`` into a shared object, unless that was done before, and load it.

    Objects are kept in the folder ``compiler`` of ``SEQPIPE_CACHE``, else of ``seqpipe`` in the user's cache folder. A
    folder that cannot be written, or that others could write, is replaced by a private one that ends with the process.

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
        library = _PROCESS.libraries.get(recipe)
        if library is None:
            library = _PROCESS.libraries[recipe] = _load(recipe)
        return library


def _load(recipe: _Recipe) -> ctypes.CDLL:
    """Load the kept object, else a new one in the cache, else a new one in a private folder."""
    folder = cache_folder()
    if folder is not None:
        with suppress(OSError):  # a full or read-only disk, or one that nothing may be run from
            return _load_kept(folder, recipe) or _build(folder, recipe)
    try:
        return _build(private_folder(), recipe)
    except OSError as error:
        raise CompilerError(
            f"What {recipe.compiler.version!r} made cannot be stored or loaded: {error}. Set SEQPIPE_CACHE to a folder "
            f"of yours with room in it, on a disk that programs may be run from."
        ) from error


def _load_kept(folder: Path, recipe: _Recipe) -> ctypes.CDLL | None:
    """Load the object from ``folder``; without one that is whole, return None."""
    for path in sorted(folder.glob(f"{recipe.key}.*{_SUFFIX}")):
        if not is_trusted(path):
            raise PermissionError(f"{path} is not this user's alone")
        with suppress(OSError):
            if path.name == _object_name(recipe, path.read_bytes()):
                library = ctypes.CDLL(str(path))
                mark_used(path)
                return library
        with suppress(OSError):
            path.unlink()
    return None


def _build(folder: Path, recipe: _Recipe) -> ctypes.CDLL:
    """Compile in a folder of one's own, publish the object by one rename, and load it."""
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
