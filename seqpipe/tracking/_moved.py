"""A database file that lies elsewhere than when it was made: its runs' files lie beside it, but it names where they were."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

__all__ = ["artifact_root", "mend_moved_store"]

#: What names places of files, by table and column: first of those that are still to be written.
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_LOCATION = re.compile(r"(?P<root>file://.+/artifacts)/(?P<folder>[^/]+)")
_SECONDS = 30.0


def artifact_root(database: Path) -> str:
    """Return the URI of the folder that holds the files of a database's runs."""
    return f"file://{quote(str(database.parent / 'artifacts'))}"


def mend_moved_store(database: Path) -> str | None:
    """Let a database that was renamed, copied or moved with its folder name its files where they are now.

    A copy would else write into the folder that it was copied from. Where the file alone was copied, its old runs keep their
    files there, and only new ones go to its own folder.

    Returns
    -------
    message : str or None
        What was done, or why it could not be; None where nothing had to be.
    """
    try:
        with closing(sqlite3.connect(database, timeout=_SECONDS)) as connection, connection:
            moved = _former_roots(connection, database)
            for root in moved:
                _rename(connection, root, artifact_root(database))
    except sqlite3.DatabaseError as error:
        if "readonly" not in str(error):
            return None  # MLflow says what is wrong with it
        return f"The tracking store {str(database)!r} was moved and cannot be written to: files of its runs may not be found."
    if not moved:
        return None
    former = ", ".join(repr(str(_path(root).parent)) for root in moved)
    return f"The tracking store {str(database)!r} was at {former}: the places of its runs' files were changed to its own folder."


def _former_roots(connection: sqlite3.Connection, database: Path) -> list[str]:
    """Return the folders, other than its own, in which a database's experiments have files that moved along with it."""
    rows = connection.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall()
    located = [
        (number, found["root"], found["folder"])
        for number, place in rows
        if (found := _LOCATION.fullmatch(place or ""))
    ]
    first = {root for number, root, _ in located if number == 0} or _before(rows)
    roots = {
        root
        for _, root, folder in located
        if root in first or (database.parent / "artifacts" / unquote(folder)).is_dir()
    }
    return sorted(root for root in roots if not _is_same(_path(root).parent, database.parent))


def _before(rows: list[tuple[int, str]]) -> set[str]:
    """Return where a store of an older version was made: it has the first experiment in mlruns/0 of the working folder."""
    places = [Path(place) for number, place in rows if number == 0 and place.endswith("/mlruns/0")]
    return {f"file://{quote(str(place.parent / 'artifacts'))}" for place in places}


def _path(root: str) -> Path:
    return Path(unquote(urlsplit(root).path))


def _is_same(one: Path, other: Path) -> bool:
    return one == other or (one.exists() and one.samefile(other))


def _rename(connection: sqlite3.Connection, former: str, root: str) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    files_stayed = _path(former).is_dir() and not _path(root).is_dir()
    for table, column in _PLACES[:1] if files_stayed else _PLACES:
        if table in tables:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                (f"{root}/", len(former) + 2, len(former) + 1, f"{former}/"),
            )
