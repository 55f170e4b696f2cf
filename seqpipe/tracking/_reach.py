"""Whether a store answers, and the errors if it does not."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from seqpipe.exceptions import TrackingError
from seqpipe.process import Shared
from seqpipe.tracking._uri import database_path, redacted_uri

__all__ = ["StoreAwayError", "check_reachable", "is_away", "reason_of", "store_error", "without_retries"]

_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
#: Seconds that a server has to answer a probe.
_PROBE_SECONDS = 4.0
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


class StoreError(TrackingError):
    """A store that cannot be used.

    Attributes
    ----------
    reason : str
        Why, in a few words.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreAwayError(StoreError):
    """A store that may be used later: it does not answer, or is locked."""


def store_error(uri: str, error: Exception) -> StoreError:
    """Return an error that states why the store at ``uri`` cannot be used, and the remedy."""
    reason = reason_of(error)
    if database_path(uri) is None:
        remedy = "Start the server or correct the URI"
    else:
        remedy = "Check that its folder is writable and that the file is an MLflow database"
    kind = StoreAwayError if is_away(error) else StoreError
    return kind(
        f"The tracking store {redacted_uri(uri)!r} cannot be used ({reason}). {remedy}, or choose another store with "
        "tracking_uri= or MLFLOW_TRACKING_URI.",
        reason,
    )


def reason_of(error: BaseException) -> str:
    """Return type and first line of an error, without passwords; of one in a database, those of the database."""
    if isinstance(error, StoreError):
        return error.reason
    original = getattr(error.__cause__, "orig", None) if isinstance(error, MlflowException) else None
    error = original if isinstance(original, BaseException) else error
    message = str(error).strip()
    return redacted_uri(f"{type(error).__name__}: {message.splitlines()[0] if message else 'no reason'}")


def is_away(error: BaseException) -> bool:
    """Return whether a store that raised this error may answer later, without anybody changing anything."""
    if isinstance(error, MlflowException):
        return bool(error.get_http_status_code() >= 500)  # type: ignore[no-untyped-call]
    locked = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
    return locked or isinstance(error, StoreAwayError | TimeoutError | ConnectionError | socket.gaierror)


def check_reachable(uri: str) -> None:
    """Raise `OSError` within seconds if no server listens or answers; MLflow itself retries for minutes."""
    parts = urlsplit(uri)
    port = parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    if parts.hostname is None or port is None:
        return
    if parts.scheme not in getproxies() or proxy_bypass(parts.hostname):
        socket.create_connection((parts.hostname, port), timeout=_PROBE_SECONDS).close()
    if parts.scheme in ("http", "https"):
        _check_answers(uri)


def _check_answers(uri: str) -> None:
    """Ask for the health of a server, twice if a connection that was kept open is found broken."""
    try:
        _ask(uri)
    except MlflowException as error:
        if "timed out" in str(error):
            raise TimeoutError(f"no answer within {_PROBE_SECONDS:.0f} seconds") from error
        try:
            _ask(uri)
        except MlflowException as again:
            raise ConnectionError(str(again)) from again


def _ask(uri: str) -> None:
    host: Any = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
    http_request(host, "/health", "GET", max_retries=0, timeout=_PROBE_SECONDS)  # type: ignore[no-untyped-call]


def _stop_retries() -> Callable[[], object]:
    """Turn off MLflow's retries and return a function that restores them."""
    chosen = os.environ.get(_RETRIES)
    os.environ[_RETRIES] = "0"

    def restore() -> None:
        if chosen is None:
            os.environ.pop(_RETRIES, None)
        else:
            os.environ[_RETRIES] = chosen

    return restore


_WITHOUT_RETRIES = Shared(_stop_retries)


def without_retries() -> AbstractContextManager[None]:
    """Let MLflow send each request once: its retries take minutes, and create runs twice if an answer was lost."""
    return _WITHOUT_RETRIES.held()
