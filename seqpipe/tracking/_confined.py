"""Whether a database of runs that came with other files would record anything outside of its folder."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from seqpipe.tracking._moved import URI_COLUMNS
from seqpipe.tracking._uri import database_path, resolve_uri

__all__ = ["local_database", "outside_of_store"]

#: What a trigger must not do. MLflow has one, which only refuses changes.
_WRITES = re.compile(r"\bBEGIN\b.*\b(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE | re.DOTALL)
_SECONDS = 5.0


def local_database(uri: str | None) -> Path | None:
    """Return the absolute path of the SQLite file that a URI names, by default that of the usual store.

    None stands for servers and other databases, and for URIs with options, which may name another file.
    """
    uri = resolve_uri(uri)
    database = None if "?" in uri else database_path(uri)
    return None if database is None or database.name.startswith("file:") or "file:" in database.parts else database


def outside_of_store(database: Path, folder: Path) -> str | None:
    """Return why runs recorded in a database could be written outside of a folder; None if they could not.

    A database states where the files of its runs are, may run statements of its own when it is written to, and may have
    links beside it.
    """
    for path in _links(database.parent):
        if not path.resolve().is_relative_to(folder):
            return f"the link {str(path)!r} leads to {str(path.resolve())!r}"
    if not database.exists():
        return None
    try:
        uri = f"{database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_SECONDS)) as connection:
            return next(_faults(connection, folder), None)
    except sqlite3.Error as error:
        return f"the database {str(database)!r} cannot be read ({error})"


def _links(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        yield from (path for name in (*folders, *files) if (path := Path(where, name)).is_symlink())


def _faults(connection: sqlite3.Connection, folder: Path) -> Iterator[str]:
    for kind, name, statement in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        text = statement or ""
        is_virtual = kind == "table" and re.match(r"CREATE\s+VIRTUAL", text, re.IGNORECASE)
        if kind == "view" or is_virtual or (kind == "trigger" and _WRITES.search(text)):
            yield f"its {kind} {name!r} runs statements that MLflow does not have"
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, column in URI_COLUMNS:
        if table in tables:
            for (place,) in connection.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"):
                if not _is_below(str(place), folder):
                    yield f"it records files in {place!r}"


def _is_below(place: str, folder: Path) -> bool:
    parts = urlsplit(place)
    if parts.scheme in ("models", "runs"):  # relative to the store
        return True
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        return False
    return Path(unquote(parts.path)).resolve().is_relative_to(folder)
