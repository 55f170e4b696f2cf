"""Update the artifact URIs in a database file that was moved, copied or renamed with its folder."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from seqpipe.tracking._database import open_database

__all__ = ["URI_COLUMNS", "artifact_root", "update_moved_store"]

#: Tables and columns with artifact URIs; first the one that determines where new files are written.
URI_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_LOCATION = re.compile(r"(?P<root>file://.+/artifacts)/(?P<folder>[^/]+)")
_SECONDS = 30.0


def artifact_root(database: Path) -> str:
    """Return the URI of the folder with the artifacts of a database."""
    return f"file://{quote(str(database.parent / 'artifacts'))}"


def update_moved_store(database: Path) -> str | None:
    """Update the artifact URIs of a database that was renamed, copied or moved with its folder.

    Without this, a copy would write into the folder of the original. If only the file was copied, its old runs keep
    their artifacts there, and only new artifacts are written to its own folder.

    Returns
    -------
    message : str or None
        What was changed, or why it could not be; None if nothing had to be changed.
    """
    try:
        with open_database(database, _SECONDS, to_write=False) as connection:
            moved = _former_roots(connection, database)
        if not moved:
            return None
        with open_database(database, _SECONDS, to_write=True) as connection:
            for root in moved:
                _update_uris(connection, root, artifact_root(database))
    except sqlite3.DatabaseError as error:
        if "readonly" not in str(error):
            return None  # MLflow reports what is wrong with it
        return (
            f"The tracking store {str(database)!r} was moved and is read-only: artifacts of its runs may not be found."
        )
    former = ", ".join(repr(str(_path(root).parent)) for root in moved)
    return f"The tracking store {str(database)!r} was at {former}: the paths of its artifacts were changed to its own folder."


def _former_roots(connection: sqlite3.Connection, database: Path) -> list[str]:
    """Return the former artifact roots of a database, those of experiments whose files moved with it."""
    rows = connection.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall()
    located = [
        (number, found["root"], found["folder"])
        for number, place in rows
        if (found := _LOCATION.fullmatch(place or ""))
    ]
    first = {root for number, root, _ in located if number == 0} or _roots_of_older_versions(rows)
    roots = {
        root
        for _, root, folder in located
        if root in first or (database.parent / "artifacts" / unquote(folder)).is_dir()
    }
    return sorted(root for root in roots if not _is_same(_path(root).parent, database.parent))


def _roots_of_older_versions(rows: list[tuple[int, str]]) -> set[str]:
    """Return the artifact roots of stores created by older versions, whose first experiment is in mlruns/0."""
    places = [Path(place) for number, place in rows if number == 0 and place.endswith("/mlruns/0")]
    return {f"file://{quote(str(place.parent / 'artifacts'))}" for place in places}


def _path(root: str) -> Path:
    return Path(unquote(urlsplit(root).path))


def _is_same(one: Path, other: Path) -> bool:
    return one == other or (one.exists() and one.samefile(other))


def _update_uris(connection: sqlite3.Connection, former: str, root: str) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    files_stayed = _path(former).is_dir() and not _path(root).is_dir()
    for table, column in URI_COLUMNS[:1] if files_stayed else URI_COLUMNS:
        if table in tables:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                (f"{root}/", len(former) + 2, len(former) + 1, f"{former}/"),
            )
