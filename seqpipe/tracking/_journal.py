"""The journal: every event of a process, on disk before it is written to the store.

A journal is a folder that only its user can read. ``events`` has one line per entry: a header, events, and marks of how many
events the store has. ``lock`` is locked while its process runs. Files and models lie beside them until they are uploaded.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout

from seqpipe.tracking._events import Event
from seqpipe.tracking._lines import entry_of, event_of, line_of, read_lines

__all__ = ["Contents", "Journal", "claimed", "find_journals", "is_held", "is_own", "read_journal", "remove_claimed"]

_EVENTS, _LOCK = "events", "lock"
#: Fields of entries: the header, the number of an event, from 1, and the number of the last event that the store has.
_HEADER, _NUMBER, _WRITTEN = "journal", "number", "written"
#: Seconds to wait for the lock of a journal that was just created.
_PATIENCE = 5.0
#: The journals that this process holds, and its id, as a forked process inherits them: they need not be tried.
_held: set[tuple[int, Path]] = set()


class Journal:
    """A journal of this process.

    Parameters
    ----------
    prefix : Path
        How its path begins.
    header : dict
        What replaying it needs to know, JSON types only.

    Raises
    ------
    OSError
        If it cannot be created.
    """

    def __init__(self, prefix: Path, header: dict[str, Any]) -> None:
        prefix.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = Path(f"{prefix}{os.getpid()}-{uuid4().hex[:8]}")
        self.folder.mkdir(mode=0o700)
        self._lock = _lock_of(self.folder)
        self._lock.acquire(timeout=_PATIENCE)
        self._place = (os.getpid(), self.folder)
        _held.add(self._place)
        self._file = os.open(self.folder / _EVENTS, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        #: Number of events in it, and how many of them the store has.
        self.count = 0
        self.written = 0
        self._append({_HEADER: header})

    def append(self, event: Event) -> None:
        """Add an event, which then survives the end of this process.

        Raises
        ------
        OSError
            If it cannot be written; the journal is as before.
        """
        self._append({_NUMBER: self.count + 1, **entry_of(event)})
        self.count += 1

    def mark(self, count: int) -> None:
        """Note that the store has the first ``count`` events, and make those after them survive a power failure."""
        self._append({_WRITTEN: count})
        self.written = count
        if count < self.count:
            os.fsync(self._file)

    def touch(self) -> None:
        """Show processes of other hosts that this one still runs."""
        os.utime(self.folder / _EVENTS)

    def close(self) -> None:
        """Leave the journal to the next process."""
        os.close(self._file)
        self._lock.release(force=True)
        _held.discard(self._place)

    def remove(self) -> None:
        """Delete the journal."""
        os.close(self._file)
        _remove(self.folder, self._lock)
        _held.discard(self._place)

    def _append(self, entry: dict[str, Any]) -> None:
        line = line_of(entry)
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(f"no space left for the journal {str(self.folder)!r}")
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, size)
            raise


@dataclass(frozen=True, slots=True)
class Contents:
    """What a journal holds.

    Attributes
    ----------
    header : dict
        What replaying it needs to know.
    written, unwritten : list of Event
        The events that the store has, and those after them.
    damaged : int
        Number of lines that cannot be read.
    """

    header: dict[str, Any]
    written: list[Event]
    unwritten: list[Event]
    damaged: int


def find_journals(prefix: Path) -> list[Path]:
    """Return the journals of a store, also those of other users and of running processes."""
    return sorted(path.parent for path in prefix.parent.glob(f"{escape(prefix.name)}*/{_EVENTS}"))


def is_held(folder: Path) -> bool:
    """Return whether this process writes to a journal."""
    return (os.getpid(), folder) in _held


def is_own(folder: Path) -> bool:
    """Return whether a journal belongs to this user, and nobody else can write to it."""
    if os.name != "posix":
        return True
    return all(_is_private(path) for path in (folder, folder / _EVENTS))


def _is_private(path: Path) -> bool:
    status = path.lstat()
    kind = stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)
    return kind and status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@contextmanager
def claimed(folder: Path) -> Iterator[FileLock | None]:
    """Yield the lock of a journal whose process has ended, None for one that another process holds.

    Raises
    ------
    FileNotFoundError
        If the journal was deleted meanwhile.
    """
    lock = _lock_of(folder)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield None
        return
    try:
        if not (folder / _EVENTS).exists():
            _remove(folder, lock)  # locking it has made it again
            raise FileNotFoundError(folder)
        yield lock
    finally:
        lock.release(force=True)


def read_journal(folder: Path) -> Contents:
    """Read a journal.

    Raises
    ------
    OSError
        If it is gone.
    """
    entries, damaged = read_lines((folder / _EVENTS).read_bytes())
    header: dict[str, Any] = {}
    events: dict[int, Event] = {}
    written = 0
    for entry in entries:
        try:
            if _HEADER in entry:
                header = dict(entry[_HEADER])
            elif _WRITTEN in entry:
                written = int(entry[_WRITTEN])
            else:
                events[int(entry.pop(_NUMBER))] = event_of(entry)
        except (KeyError, TypeError, ValueError):
            damaged += 1
    before = [event for number, event in events.items() if number <= written]
    return Contents(header, before, [event for number, event in events.items() if number > written], damaged)


def remove_claimed(folder: Path, lock: FileLock) -> None:
    """Delete a journal that this process claimed."""
    _remove(folder, lock)


def _lock_of(folder: Path) -> FileLock:
    return FileLock(folder / _LOCK, thread_local=False)


def _remove(folder: Path, lock: FileLock) -> None:
    (folder / _EVENTS).unlink(missing_ok=True)  # first: without it the folder is no journal
    lock.release(force=True)
    shutil.rmtree(folder, ignore_errors=True)
