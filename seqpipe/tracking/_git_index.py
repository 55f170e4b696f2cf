"""Compare the files of a repository with its commit, by index and contents, without running its filters or hooks."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqpipe.tracking._git import Repository, read_capped

__all__ = ["State", "state_of"]

#: Whether files differ: "unknown" if that depends on a filter or the repository has an unsupported form.
State = Literal["clean", "dirty", "unknown"]

_INDEX_SIZE, _FILE_SIZE = 2**28, 2**28
#: Bytes of an entry without its path, and of an index without entries.
_ENTRY, _SMALLEST = 62, 32
_FOLDER, _LINK, _SUBMODULE = 0o40000, 0o120000, 0o160000
#: Flags of an entry: extended flags follow; assume-unchanged; merge conflict; skip-worktree; intent-to-add.
_EXTENDED, _ASSUMED, _STAGE, _SKIPPED, _INTENDED = 1 << 14, 1 << 15, 3 << 12, 1 << 14, 1 << 13
#: First extension of a split index, whose entries are in another file.
_SPLIT = b"link"
#: Attributes that convert contents between commit and working tree.
_CONVERSION = re.compile(rb"\b(filter|ident|working-tree-encoding)\b")


@dataclass(frozen=True)
class _Entry:
    path: str
    mode: int
    size: int
    ctime: int
    mtime: int
    id: bytes
    ignored: bool
    unmerged: bool
    intended: bool


def state_of(repository: Repository, commit: str) -> State:
    """Return whether tracked files, staged or not, differ from a commit."""
    index = repository.folder / "index"
    content = read_capped(index, _INDEX_SIZE)
    if content is None or len(commit) != 40:
        return "unknown"
    try:
        entries = [*_entries(content)]
        tree = repository.tree(commit)
        if any(entry.unmerged or entry.intended for entry in entries):
            return "dirty"
        if tree is None:
            return "unknown"
        if _tree_id(entries) != tree:
            return "dirty"
        return _worktree_state(repository, entries, index.stat().st_mtime_ns)
    except (ValueError, OSError, RecursionError):  # a truncated file, or one that is being written
        return "unknown"


def _entries(content: bytes) -> Iterator[_Entry]:
    """Read an index of version 2, 3 or 4."""
    version, count = int.from_bytes(content[4:8], "big"), int.from_bytes(content[8:12], "big")
    if content[:4] != b"DIRC" or version not in (2, 3, 4) or len(content) < _SMALLEST:
        raise ValueError("unsupported index format")
    at, path = 12, b""
    for _ in range(count):
        begin, fixed = at, content[at : at + _ENTRY]
        if len(fixed) < _ENTRY:
            raise ValueError("truncated index")
        mode, size = (int.from_bytes(fixed[i : i + 4], "big") for i in (24, 36))
        flags, more = int.from_bytes(fixed[60:62], "big"), 0
        at += _ENTRY
        if flags & _EXTENDED:
            more = int.from_bytes(content[at : at + 2], "big")
            at += 2
        if version == 4:
            dropped, at = _varint(content, at)
            path = path[: len(path) - dropped]
        else:
            path = b""
        end = content.index(b"\0", at)
        path += content[at:end]
        at = end + 1 if version == 4 else begin + (end - begin + 8) // 8 * 8
        yield _Entry(
            path=os.fsdecode(path),
            mode=mode,
            size=size,
            ctime=_nanoseconds(fixed[:8]),
            mtime=_nanoseconds(fixed[8:16]),
            id=fixed[40:60],
            ignored=bool(flags & _ASSUMED or more & _SKIPPED),
            unmerged=bool(flags & _STAGE),
            intended=bool(more & _INTENDED),
        )
    if content[at : at + 4] == _SPLIT:
        raise ValueError("split index")


def _nanoseconds(content: bytes) -> int:
    return int.from_bytes(content[:4], "big") * 10**9 + int.from_bytes(content[4:], "big")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = content[at] & 127
    while content[at] & 128:
        at += 1
        value = (value + 1 << 7) | (content[at] & 127)
    return value, at + 1


def _tree_id(entries: list[_Entry]) -> str:
    """Return the id of the git tree of these entries."""
    root: dict[str, Any] = {}
    for entry in entries:
        *folders, name = entry.path.rstrip("/").split("/")
        node = root
        for folder in folders:
            node = node.setdefault(folder, {})
        node[name] = entry
    return _hash_tree(root).hex()


def _hash_tree(node: dict[str, Any]) -> bytes:
    lines = []
    for name, child in node.items():
        written = os.fsencode(name)
        mode, found = (child.mode, child.id) if isinstance(child, _Entry) else (_FOLDER, _hash_tree(child))
        order = written + b"/" if mode == _FOLDER else written
        lines.append((order, b"%o %s\0%s" % (mode, written, found)))
    content = b"".join(line for _, line in sorted(lines))
    return hashlib.sha1(b"tree %d\0" % len(content) + content, usedforsecurity=False).digest()


def _worktree_state(repository: Repository, entries: list[_Entry], written: int) -> State:
    changed = [entry for entry in entries if not entry.ignored and _differs(repository.root, entry, written)]
    if not changed:
        return "clean"
    has_deleted = any(not os.path.lexists(repository.root / entry.path) for entry in changed)
    return "dirty" if has_deleted or not _converts(repository, entries) else "unknown"


def _differs(root: Path, entry: _Entry, written: int) -> bool:
    if entry.path.startswith("/") or ".." in entry.path.split("/"):
        raise ValueError("path outside the working tree")
    path = root / entry.path
    if entry.mode == _FOLDER:  # a folder that is not checked out
        return False
    if entry.mode == _SUBMODULE:
        inner = Repository.of(path)
        return inner is not None and inner.root == path and inner.commit() not in (None, entry.id.hex())
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    if entry.mode == _LINK:
        return not stat.S_ISLNK(found.st_mode) or _blob_id(os.fsencode(path.readlink())) != entry.id
    if not stat.S_ISREG(found.st_mode):
        return True
    same = (found.st_ctime_ns, found.st_mtime_ns, found.st_size % 2**32) == (entry.ctime, entry.mtime, entry.size)
    if same and entry.mtime < written:  # a later change may keep both times
        return False
    content = read_capped(path, _FILE_SIZE)
    if content is None:
        raise ValueError("file too large")
    return entry.id not in (_blob_id(content), _blob_id(content.replace(b"\r\n", b"\n")))


def _blob_id(content: bytes) -> bytes:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).digest()


def _converts(repository: Repository, entries: list[_Entry]) -> bool:
    """Return whether an attribute may make unchanged files differ from their commit."""
    files = [repository.common / "info" / "attributes", repository.root / ".gitattributes"]
    files += [repository.root / entry.path for entry in entries if entry.path.endswith("/.gitattributes")]
    return any(_CONVERSION.search(read_capped(file, 2**20) or b"") for file in files)
