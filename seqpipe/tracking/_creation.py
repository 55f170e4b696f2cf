"""Create the embedded store, one process at a time."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from seqpipe.tracking._database import open_database
from seqpipe.tracking._moved import artifact_root, update_moved_store
from seqpipe.tracking._uri import database_path, database_uri

__all__ = ["creation_lock", "prepare_database", "require_writable"]

#: Seconds to wait for other processes that create the store, and between two signs that this one waits for them.
_SECONDS, _INTERVAL = 300.0, 0.5
#: Seconds to wait for a database that another process has locked: to write, as a fit goes on meanwhile, and to read.
_LOCKED_TO_WRITE, _LOCKED_TO_READ = 5.0, 40.0


@contextmanager
def creation_lock(uri: str, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock under which one process at a time creates or migrates a database file; ``waiting`` is called meanwhile."""
    database = database_path(uri)
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{database}.lock")
    deadline = time.monotonic() + _SECONDS
    while not lock.is_locked:
        try:
            lock.acquire(timeout=_INTERVAL)
        except Timeout:
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process has created it for {_SECONDS:.0f} seconds") from None
            waiting()
    try:
        yield
    finally:
        lock.release()


def require_writable(database: Path) -> None:
    """Raise `OSError` if a database cannot be created or written: MLflow itself tries for an hour."""
    database.parent.mkdir(parents=True, exist_ok=True)
    if database.exists() and not os.access(database, os.W_OK):
        raise PermissionError(f"{str(database)!r} cannot be written")
    with tempfile.TemporaryFile(dir=database.parent) as probe:
        probe.write(bytes(1 << 16))
        probe.flush()


def prepare_database(database: Path, *, to_write: bool) -> str | None:
    """Create a database, or update one that was moved; return a message about the latter."""
    if database.is_file() and database.stat().st_size:
        patience = _LOCKED_TO_WRITE if to_write else _LOCKED_TO_READ
        with open_database(database, patience, to_write=False) as connection:
            connection.execute("SELECT name FROM sqlite_master").fetchone()
        return update_moved_store(database)
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # warns on import

    # Under another name: what is interrupted, or runs out of space, leaves no half of a database.
    with tempfile.TemporaryDirectory(prefix=f"{database.name}.", dir=database.parent) as folder:
        # by default MLflow puts the files of its first experiment into the working folder, and fails if its path has a quote
        created = Path(folder) / "mlflow.db"
        SqlAlchemyStore(database_uri(created), artifact_root(database)).engine.dispose()  # type: ignore[no-untyped-call]
        created.replace(database)
    return None
