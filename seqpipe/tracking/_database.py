"""Connections to the file of an embedded store."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

__all__ = ["Connection", "keep_connections", "open_database"]


class Connection(sqlite3.Connection):
    """A connection that remembers in which state of the schema its tables were found to be known ones."""

    known_schema: int | None = None
    #: The process that opened it, and device and number of the file.
    place: tuple[int, int, int] | None = None


class _Kept(threading.local):
    connections: dict[Path, Connection] | None = None


_kept = _Kept()


@contextmanager
def keep_connections() -> Iterator[None]:
    """Keep connections of this thread open until the end of the block: SQLite parses the schema for each new one."""
    _kept.connections = {}
    try:
        yield
    finally:
        for connection in _kept.connections.values():
            connection.close()
        _kept.connections = None


@contextmanager
def open_database(database: Path, seconds: float, *, to_write: bool) -> Iterator[Connection]:
    """Yield a connection in a transaction that is committed at the end; ``seconds`` is how long to wait for a lock.

    Raises
    ------
    sqlite3.Error
        If the database is not there, is locked, or cannot be read or written; then nothing is.
    """
    with _connected(database, seconds) as connection:
        connection.execute("BEGIN IMMEDIATE" if to_write else "BEGIN")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def _connected(database: Path, seconds: float) -> Iterator[Connection]:
    kept = _kept.connections
    if kept is None:
        with closing(_connect(database, seconds)) as connection:
            yield connection
        return
    place = _place_of(database)
    if database in kept and kept[database].place != place:  # another file has its name now
        kept.pop(database).close()
    if database not in kept:
        kept[database] = _connect(database, seconds)
        kept[database].place = place
    kept[database].execute(f"PRAGMA busy_timeout = {int(1000 * seconds)}")
    yield kept[database]


def _connect(database: Path, seconds: float) -> Connection:
    uri = f"file:{quote(str(database))}?mode=rw"  # without the mode, a database that is gone would be created
    return sqlite3.connect(uri, uri=True, timeout=seconds, isolation_level=None, factory=Connection)


def _place_of(database: Path) -> tuple[int, int, int] | None:
    try:
        found = database.stat()
    except OSError:
        return None
    return os.getpid(), found.st_dev, found.st_ino
