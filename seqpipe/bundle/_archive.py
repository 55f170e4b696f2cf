"""The archive that a model is saved in, held to limits before anything is unpacked."""

from __future__ import annotations

import io
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from seqpipe.exceptions import BundleError
from seqpipe.saved import ArrayOutline

__all__ = ["SCHEMA", "Archive", "read_regular_file"]

#: The description of the model; every other entry is an array, a sparse matrix or a byte string.
SCHEMA = "schema.json"
_CONTENT = re.compile(r"[A-Za-z0-9_-]{1,100}\.(npy|npz|bin)")
_MOST_BYTES = 16 * 2**30
_MOST_BYTES_OF_SCHEMA = 256 * 2**20
_MOST_ENTRIES = 100_000
#: Entries may be larger by this factor than compressed, beyond the first MiB.
_MOST_RATIO = 100
_LONGEST_AXIS = 2**40
_CENTRAL_RECORD = b"PK\x01\x02"


def read_regular_file(path: str | os.PathLike[str], *, owner: str, most: int = _MOST_BYTES) -> bytes:
    """Return the contents of a file; errors call it ``owner``.

    Raises
    ------
    BundleError
        If it is a device, pipe, socket or folder, or has more than ``most`` bytes.
    OSError
        If it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{owner} cannot be read: {str(Path(path))!r} is {_kind(status.st_mode)}, not a file.")
        if status.st_size > most:
            raise BundleError(
                f"{owner} cannot be read: {str(Path(path))!r} has {status.st_size:,} bytes, more than the {most:,} that a "
                "file of this kind may have."
            )
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(status.st_size)
    finally:
        os.close(descriptor)


def _kind(mode: int) -> str:
    kinds = {"a folder": stat.S_ISDIR, "a pipe": stat.S_ISFIFO, "a socket": stat.S_ISSOCK}
    return next((name for name, applies in kinds.items() if applies(mode)), "a device")


class Archive:
    """A ZIP archive of one description and arrays.

    Parameters
    ----------
    data : bytes
        The whole file.

    Raises
    ------
    BundleError
        If an entry has another kind or name, occurs twice, or would become too large; the message names it.
    BadZipFile
        If this is no archive, or it is damaged.
    """

    def __init__(self, data: bytes) -> None:
        if data.count(_CENTRAL_RECORD) > _MOST_ENTRIES:
            raise BundleError(f"it has more than {_MOST_ENTRIES:,} entries")
        self._archive = ZipFile(io.BytesIO(data))
        self._entries: dict[str, ZipInfo] = {}
        for entry in self._archive.infolist():
            _check_entry(entry)
            if entry.filename in self._entries:
                raise BundleError(f"the entry {entry.filename!r} occurs twice")
            self._entries[entry.filename] = entry
        total = sum(entry.file_size for entry in self._entries.values())
        if total > _MOST_BYTES:
            raise BundleError(f"it would become {total:,} bytes, more than the {_MOST_BYTES:,} that are read")

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def schema(self) -> bytes:
        """Return the description."""
        if SCHEMA not in self._entries:
            raise BundleError(f"it has no entry {SCHEMA!r}")
        return self._archive.read(SCHEMA)

    def array(self, name: Any) -> ArrayOutline:
        """Return the outline of an array, whose header must agree with the size of its entry."""
        if not isinstance(name, str) or name not in self._entries or name == SCHEMA:
            raise BundleError(f"it refers to the entry {name!r}, which it does not have")
        with self._archive.open(name) as file:
            try:
                shape, dtype, start = _header(file)
            except Exception as error:
                raise BundleError(f"the entry {name!r} is no array ({' '.join(str(error).split()):.200})") from error
        _check_array(name, shape, dtype, self._entries[name].file_size - start)
        return ArrayOutline(dtype, shape)

    def scalar(self, name: Any) -> Any:
        """Return the number or text in an array of no dimensions."""
        found = self.array(name)
        if found.shape:
            raise BundleError(f"the entry {name!r} must be a single value, not {found}")
        return np.load(io.BytesIO(self._archive.read(name)), allow_pickle=False)[()]


def _check_entry(entry: ZipInfo) -> None:
    name = entry.filename
    if name != entry.orig_filename or not (name == SCHEMA or _CONTENT.fullmatch(name)):
        raise BundleError(f"the entry {entry.orig_filename!r:.120} is neither {SCHEMA!r} nor an array such as '1.npy'")
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise BundleError(f"the entry {name!r} is a link or device, not a file")
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or entry.flag_bits & 1:
        raise BundleError(f"the entry {name!r} is encrypted or compressed by another method than deflate")
    if entry.file_size > 2**20 + _MOST_RATIO * entry.compress_size:
        raise BundleError(
            f"the entry {name!r} would become {entry.file_size:,} bytes from {entry.compress_size:,}, more than "
            f"{_MOST_RATIO} times as many"
        )
    if name == SCHEMA and entry.file_size > _MOST_BYTES_OF_SCHEMA:
        raise BundleError(f"the entry {name!r} has {entry.file_size:,} bytes, more than {_MOST_BYTES_OF_SCHEMA:,}")


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Return shape, data type, and the position of the first number."""
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of the format is for named fields")
    shape, _, dtype = readers[version](file)
    return shape, dtype, file.tell()


def _check_array(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], n_bytes: int) -> None:
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None or not dtype.itemsize:
        raise BundleError(f"the entry {name!r} is an array of {dtype!s:.60}: only numbers, texts and times are read")
    if any(not 0 <= n <= _LONGEST_AXIS for n in shape):
        raise BundleError(f"the entry {name!r} has the shape {shape!s:.100}, which no array has")
    if math.prod(shape) * dtype.itemsize != n_bytes:
        raise BundleError(
            f"the entry {name!r} has {n_bytes:,} bytes of numbers, but its header describes {shape!s:.100} numbers of "
            f"{dtype.itemsize} bytes"
        )
