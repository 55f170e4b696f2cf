"""Open tracking stores: the embedded database, or any other that MLflow supports."""

from __future__ import annotations

import re
import socket
import warnings
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment

from seqpipe.exceptions import TrackingError, TrackingWarning
from seqpipe.tracking._moved import artifact_root, update_moved_store
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._stale import close_stale_runs
from seqpipe.tracking._uri import database_path, redacted_uri, require_database, resolve_uri

__all__ = ["check_reachable", "experiment_id", "open_client", "store_error"]

_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_PROBE_SECONDS = 5.0


def open_client(uri: str | None = None, *, create: bool = False) -> MlflowClient:
    """Return a client of the store at ``uri``; with ``create`` a missing database file is created.

    Raises
    ------
    TrackingError
        If the store cannot be used.
    """
    uri = resolve_uri(uri)
    if not create:
        require_database(uri)
    try:
        check_reachable(uri)
        with _creation_lock(uri), quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations between MLflow and its dependencies
            database = database_path(uri)
            if database is None:
                return MlflowClient(uri)
            moved = _prepare(uri, database)
            client = MlflowClient(uri)
            close_stale_runs(client)
    except Exception as error:
        raise store_error(uri, error) from error
    if moved is not None:
        warnings.warn(moved, TrackingWarning, stacklevel=2)
    return client


def _prepare(uri: str, database: Path) -> str | None:
    """Create a database, or update one that was moved; return a message about the latter."""
    if database.is_file() and database.stat().st_size:
        return update_moved_store(database)
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # warns on import

    # by default MLflow puts the files of its first experiment into the working folder, and fails if its path has a quote
    SqlAlchemyStore(uri, artifact_root(database)).engine.dispose()  # type: ignore[no-untyped-call]
    return None


def experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of the experiment called ``name``, creating it if necessary.

    Raises
    ------
    TrackingError
        If the store cannot be used, or the experiment was deleted.
    """
    uri = client.tracking_uri
    try:
        with _creation_lock(uri), quiet():
            found = client.get_experiment_by_name(name)
            identifier = found.experiment_id if found else _create_experiment(client, name)
    except Exception as error:
        raise store_error(uri, error) from error
    if found is not None and found.lifecycle_stage != "active":
        raise TrackingError(
            f"The experiment {name!r} in {redacted_uri(uri)!r} was deleted: use another name, or restore it with "
            f'"mlflow experiments restore --experiment-id {identifier}".'
        )
    return identifier


def _create_experiment(client: MlflowClient, name: str) -> str:
    try:
        return str(client.create_experiment(name, artifact_location=_artifact_location(client.tracking_uri, name)))
    except Exception:
        created_meanwhile: Experiment | None = client.get_experiment_by_name(name)
        if created_meanwhile is None:
            raise
        return str(created_meanwhile.experiment_id)


def _artifact_location(uri: str, experiment: str) -> str | None:
    """Return the artifact folder beside a database file, None for other stores, which choose it themselves."""
    database = database_path(uri)
    if database is None:
        return None
    folder = re.sub(r"[^\w.-]+", "-", experiment).strip(".-") or "experiment"
    return f"{artifact_root(database)}/{quote(folder)}"


def store_error(uri: str, error: Exception) -> TrackingError:
    """Return an error that states why the store at ``uri`` cannot be used, and the remedy."""
    reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no reason'}"
    if database_path(uri) is None:
        remedy = "Start the server or correct the URI"
    else:
        remedy = "Check that its folder is writable and that the file is an MLflow database"
    return TrackingError(
        f"The tracking store {redacted_uri(uri)!r} cannot be used ({redacted_uri(reason)}). {remedy}, or choose another store with "
        "tracking_uri= or MLFLOW_TRACKING_URI."
    )


def check_reachable(uri: str) -> None:
    """Raise `OSError` within seconds if no server listens; MLflow itself retries for minutes."""
    parts = urlsplit(uri)
    port = parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    if parts.hostname is None or port is None:
        return
    if parts.scheme in getproxies() and not proxy_bypass(parts.hostname):
        return
    socket.create_connection((parts.hostname, port), timeout=_PROBE_SECONDS).close()


def _creation_lock(uri: str) -> FileLock | nullcontext[None]:
    """Return a lock so that one process at a time creates or migrates a database file."""
    database = database_path(uri)
    if database is None:
        return nullcontext()
    database.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{database}.lock")
