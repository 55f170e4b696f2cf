"""Read the checked-out commit of a repository from its files: git itself runs commands that a repository configures."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

__all__ = ["Repository", "read_capped"]

_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"refs/[^\x00-\x20~^:?*\[\\]+")
#: Largest files that are read, in bytes: a single line, a list of references, a commit.
_LINE, _LIST, _COMMIT_SIZE = 2**12, 2**26, 2**20
_COMMIT = 1
_HASH = 20


@dataclass(frozen=True)
class Repository:
    """A git repository, read without running anything it configures.

    Attributes
    ----------
    root : Path
        The folder with ``.git``.
    folder : Path
        Folder with HEAD and the index of this working tree.
    common : Path
        Folder with the references and objects that all working trees share.
    """

    root: Path
    folder: Path
    common: Path

    @classmethod
    def of(cls, place: Path) -> Self | None:
        """Return the repository that contains a folder, or None."""
        for root in (place, *place.parents):
            folder = _git_folder(root)
            if folder is not None:
                shared = _line(folder / "commondir")
                return cls(root, folder, folder if shared is None else folder / shared)
        return None

    def commit(self) -> str | None:
        """Return the id of the checked-out commit, None if no file names it."""
        head = _line(self.folder / "HEAD") or ""
        for _ in range(5):  # a reference may point to another one
            if _OBJECT_ID.fullmatch(head):
                return head
            head = self._resolved(head.removeprefix("ref:").strip())
        return None

    def tree(self, commit: str) -> str | None:
        """Return the id of a commit's tree, None if the commit is stored in an unsupported form."""
        content = self._loose(commit) or self._packed(bytes.fromhex(commit)) or b""
        found = re.match(rb"tree ([0-9a-f]{40})\n", content)
        return None if found is None else found[1].decode()

    def _resolved(self, ref: str) -> str:
        if not _REF.fullmatch(ref) or ".." in ref:
            return ""
        for folder in (self.folder, self.common):
            if found := _line(folder / ref):
                return found
        for line in (read_capped(self.common / "packed-refs", _LIST) or b"").splitlines():
            commit, _, name = line.decode(errors="replace").partition(" ")
            if name == ref:
                return commit
        return ""

    def _loose(self, commit: str) -> bytes | None:
        kept = read_capped(self.common / "objects" / commit[:2] / commit[2:], _COMMIT_SIZE)
        content = b"" if kept is None else _inflated(kept)
        return content.partition(b"\0")[2] if content.startswith(b"commit ") else None

    def _packed(self, commit: bytes) -> bytes | None:
        for index in sorted((self.common / "objects" / "pack").glob("*.idx")):
            pack = index.with_suffix(".pack")
            if index.is_file() and pack.is_file():
                with index.open("rb") as file:
                    offset = _offset_in_pack(file, commit)
                if offset is not None:
                    return _commit_at(pack, offset)
        return None


def read_capped(path: Path, size: int) -> bytes | None:
    """Return the content of a regular file, None if it is missing or larger than ``size`` bytes."""
    try:
        if not path.is_file() or path.stat().st_size > size:
            return None
        with path.open("rb") as file:
            return file.read(size)
    except (OSError, ValueError):  # a name may contain what no path may
        return None


def _git_folder(root: Path) -> Path | None:
    """Return the folder of a repository: ``.git``, or the folder that a file of that name points to (worktrees, submodules)."""
    place = root / ".git"
    if place.is_dir():
        return place
    line = _line(place) or ""
    return root / line.removeprefix("gitdir:").strip() if line.startswith("gitdir:") else None


def _line(path: Path) -> str | None:
    content = read_capped(path, _LINE)
    return None if content is None else content.decode(errors="replace").strip()


def _inflated(content: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, _COMMIT_SIZE)
    except zlib.error:
        return b""


def _offset_in_pack(file: BinaryIO, commit: bytes) -> int | None:
    """Find an object in the index of a pack: header, 256 cumulative counts, sorted ids, checksums, offsets."""
    if file.read(8) != b"\xfftOc\0\0\0\2":
        return None
    totals = [*_numbers(file, 256)]
    if len(totals) < 256:
        return None
    low, high, n = (0 if commit[0] == 0 else totals[commit[0] - 1]), totals[commit[0]], totals[255]
    ids = 8 + 256 * 4
    while low < high:
        middle = (low + high) // 2
        file.seek(ids + _HASH * middle)
        found = file.read(_HASH)
        if found == commit:
            file.seek(ids + (_HASH + 4) * n + 4 * middle)
            offset = next(_numbers(file, 1), 2**31)
            return offset if offset < 2**31 else None  # packs larger than 2 GiB store it elsewhere
        low, high = (middle + 1, high) if found < commit else (low, middle)
    return None


def _numbers(file: BinaryIO, count: int) -> Iterator[int]:
    content = file.read(4 * count)
    return (int.from_bytes(content[i : i + 4], "big") for i in range(0, len(content), 4))


def _commit_at(pack: Path, offset: int) -> bytes | None:
    """Return a commit that is stored whole, None if it is stored as a delta."""
    with pack.open("rb") as file:
        file.seek(offset)
        content = file.read(_COMMIT_SIZE)
    if not content or content[0] >> 4 & 7 != _COMMIT:
        return None
    begin = next((i + 1 for i, byte in enumerate(content) if byte < 128), 0)
    return _inflated(content[begin:])
