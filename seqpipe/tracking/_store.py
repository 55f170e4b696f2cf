"""Open tracking stores: the embedded database, or any other that MLflow supports."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from mlflow import MlflowClient

from seqpipe.exceptions import TrackingWarning
from seqpipe.tracking._creation import creation_lock, prepare_database, require_writable
from seqpipe.tracking._journal import find_journals
from seqpipe.tracking._place import journal_prefix
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._reach import check_reachable, store_error, without_retries
from seqpipe.tracking._replay import Replayed, replay_journals
from seqpipe.tracking._stale import close_stale_runs
from seqpipe.tracking._uri import database_path, require_database, resolve_uri

__all__ = ["open_client", "sync"]

#: Stores that this process has opened.
_opened_here: set[str] = set()


def open_client(
    uri: str | None = None, *, create: bool = False, waiting: Callable[[], object] = lambda: None
) -> MlflowClient:
    """Return a client of the store at ``uri``, to which the journals of ended processes were written.

    Parameters
    ----------
    uri : str, optional
        URI of the store; by default MLFLOW_TRACKING_URI, else the embedded store of the working folder.
    create : bool, default=False
        Whether runs will be written; a missing database file is created.
    waiting : callable, optional
        Called while another process creates the store.

    Raises
    ------
    TrackingError
        If the store cannot be used.
    """
    client, replayed, messages = _opened(resolve_uri(uri), create, waiting)
    for message in messages + replayed.problems():
        warnings.warn(message, TrackingWarning, stacklevel=2)
    return client


def sync(tracking_uri: str | None = None) -> Replayed:
    """Write what ended processes left in their journals to the store, and close the runs that they left open.

    Parameters
    ----------
    tracking_uri : str, optional
        URI of the store; by default MLFLOW_TRACKING_URI, else the embedded store of the working folder.

    Returns
    -------
    replayed : Replayed
        What was written, and what could not be.

    Raises
    ------
    TrackingError
        If the store cannot be used.
    """
    uri = resolve_uri(tracking_uri)
    found = find_journals(journal_prefix(uri))
    client, replayed, _ = _opened(uri, create=bool(found), waiting=lambda: None)
    try:
        close_stale_runs(client)
    except Exception as error:
        raise store_error(uri, error) from error
    return replayed


def _quiet_at_first(uri: str) -> AbstractContextManager[None]:
    """Silence MLflow when it opens a store for the first time; later it has nothing to say, and silence takes milliseconds."""
    return nullcontext() if uri in _opened_here else quiet()


def _opened(uri: str, create: bool, waiting: Callable[[], object]) -> tuple[MlflowClient, Replayed, list[str]]:
    if not create:
        require_database(uri)
    try:
        check_reachable(uri)
        database = database_path(uri)
        if database is not None and create:
            require_writable(database)
        with _quiet_at_first(uri), without_retries(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations between MLflow and its dependencies
            with creation_lock(uri, waiting):
                moved = None if database is None else prepare_database(database, to_write=create)
                client = MlflowClient(uri)
                _opened_here.add(uri)
            waiting()
            replayed = replay_journals(client, uri)
            waiting()
            if database is not None:
                close_stale_runs(client)
    except Exception as error:
        raise store_error(uri, error) from error
    return client, replayed, [] if moved is None else [moved]
