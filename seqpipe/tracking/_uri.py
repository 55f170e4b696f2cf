"""Which tracking store is meant."""

from __future__ import annotations

import os
import re
from pathlib import Path

from seqpipe.exceptions import TrackingError

__all__ = ["database_path", "redacted_uri", "require_database", "resolve_uri"]

_SQLITE = "sqlite:///"
_USERINFO = re.compile(r"://[^/\s]+@")


def resolve_uri(uri: str | None = None) -> str:
    """Return ``uri``, else MLFLOW_TRACKING_URI, else mlruns/mlflow.db in the working folder."""
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{Path.cwd() / 'mlruns' / 'mlflow.db'}"
    database = database_path(uri)
    if database is None:
        return uri
    _, question, options = uri.partition("?")
    return f"{_SQLITE}{database}{question}{options}"


def redacted_uri(text: str) -> str:
    """Return a URI, or a text that quotes some, without the user names and passwords in it.

    Examples
    --------
    >>> redacted_uri("https://bob:secret@mlflow.example.org")
    'https://***@mlflow.example.org'
    """
    return _USERINFO.sub("://***@", text)


def database_path(uri: str) -> Path | None:
    """Return the absolute path of the SQLite file that ``uri`` names, None for any other store."""
    if not uri.startswith(_SQLITE) or ":memory:" in uri or len(uri) == len(_SQLITE):
        return None
    return Path(uri.removeprefix(_SQLITE).partition("?")[0]).absolute()


def require_database(uri: str) -> None:
    """Raise `TrackingError` if ``uri`` names a SQLite file that is not there: it holds nothing to read."""
    database = database_path(uri)
    if database is not None and not database.is_file():
        raise TrackingError(f'There are no runs yet: {database} does not exist. Make some with "seqpipe run digits".')
