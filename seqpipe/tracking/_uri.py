"""Resolve the URI of a tracking store."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

from seqpipe.exceptions import TrackingError

__all__ = ["database_path", "database_uri", "redacted_uri", "require_database", "resolve_uri"]

#: Prefixes of URIs of SQLite files; `database_uri` uses the second for paths that have to be quoted.
_SQLITE, _QUOTED = "sqlite:///", "sqlite+pysqlite:///"
#: The options at the end of a URI; any other question mark is part of a folder's name.
_OPTIONS = re.compile(r"\?[\w.]+=[^/?]*$")
_USERINFO = re.compile(r"://[^/\s]+@")


def resolve_uri(uri: str | None = None) -> str:
    """Return ``uri``, else MLFLOW_TRACKING_URI, else mlruns/mlflow.db in the working folder.

    Raises
    ------
    TrackingError
        If the path of the SQLite file cannot be written as a URI.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return database_uri(Path.cwd() / "mlruns" / "mlflow.db")
    database = database_path(uri)
    return uri if database is None else database_uri(database, _options(uri))


def database_uri(database: Path, options: str = "") -> str:
    """Return the URI of a SQLite file, quoted only where SQLAlchemy requires it.

    MLflow creates the folder named in a URI with the first prefix without unquoting it, so a quoted path needs the other
    prefix.
    """
    plain = f"{_SQLITE}{database}{options}"
    if not re.search("[?%]", str(database)):
        return plain
    from sqlalchemy.engine import make_url  # imported on use: it is slow to import

    for uri in (plain, f"{_QUOTED}{quote(str(database))}{options}"):
        if make_url(uri).database == str(database):
            return uri
    raise TrackingError(
        f"The tracking store {str(database)!r} has no URI that this version of SQLAlchemy understands: rename the folder, or "
        'run "pip install -U sqlalchemy".'
    )


def _options(uri: str) -> str:
    found = _OPTIONS.search(uri)
    return "" if found is None else found[0]


def redacted_uri(text: str) -> str:
    """Return a URI, or a text with URIs, with user names and passwords masked.

    Examples
    --------
    >>> redacted_uri("https://bob:secret@mlflow.example.org")
    'https://***@mlflow.example.org'
    """
    return _USERINFO.sub("://***@", text)


def database_path(uri: str) -> Path | None:
    """Return the absolute path of the SQLite file that ``uri`` names, None for any other store."""
    path = uri.removeprefix(_SQLITE).removeprefix(_QUOTED)
    path = path.removesuffix(_options(uri))
    if not uri.startswith((_SQLITE, _QUOTED)) or ":memory:" in uri or not path:
        return None
    written, read = Path(path).absolute(), Path(unquote(path)).absolute()
    quoted = uri.startswith(_QUOTED) or (not written.parent.exists() and read.parent.exists())
    return read if quoted else written


def require_database(uri: str) -> None:
    """Raise `TrackingError` if ``uri`` names a SQLite file that does not exist."""
    database = database_path(uri)
    if database is not None and not database.is_file():
        raise TrackingError(f'There are no runs yet: {database} does not exist. Create some with "seqpipe run digits".')
