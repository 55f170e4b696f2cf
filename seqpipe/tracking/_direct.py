"""Write the runs of a tree to an embedded store in one transaction, without MLflow's client."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Container, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from seqpipe.tracking._database import Connection, open_database
from seqpipe.tracking._found_runs import KEY
from seqpipe.tracking._keys import KEY_LENGTH, as_path, stored_key
from seqpipe.tracking._outcome import now
from seqpipe.tracking._params import MAX_LENGTH
from seqpipe.tracking._process import BEAT, process_tags
from seqpipe.tracking._run import Run
from seqpipe.tracking._tables import (
    Measured,
    active_experiment,
    add_data,
    add_metrics,
    add_params,
    create_run,
    end_run,
    has_known_tables,
    is_active,
    rename_run,
    set_tags,
)
from seqpipe.tracking._tree import RunTree
from seqpipe.tracking._uri import database_path

__all__ = ["TAG_LENGTH", "DirectWriter", "creation_tags"]

#: Maximum number of characters of the value of a tag.
TAG_LENGTH = 5000
#: Seconds to wait for a database that another process has locked.
_LOCKED = 5.0


def creation_tags(run: Run, parent_id: str | None) -> dict[str, str]:
    """Return the tags with which a run is created."""
    tags = {**process_tags(), KEY: run.key, BEAT: str(now())}
    return tags if parent_id is None else {**tags, "mlflow.parentRunId": parent_id}


class DirectWriter:
    """Writes the plain entries of runs straight to the tables of an embedded store.

    What is not plain is left to MLflow's client: models, runs of which the store may have something already, and
    everything if the tables are not those of a known version of MLflow.

    Parameters
    ----------
    database : Path
        The SQLite file.
    experiment_id : str
        Experiment of new runs.
    """

    def __init__(self, database: Path, experiment_id: str) -> None:
        self._database = database
        self._experiment_id = experiment_id

    @classmethod
    def of(cls, uri: str, experiment_id: str) -> DirectWriter | None:
        """Return the writer of a store; None for a server."""
        database = database_path(uri)
        return None if database is None else cls(database, experiment_id)

    def write(self, tree: RunTree, continued: Container[str]) -> bool:
        """Write what is plain, all of it or nothing, and return whether anything was written.

        Parameters
        ----------
        tree : RunTree
        continued : container of str
            Keys of runs that are left to the client.

        Raises
        ------
        sqlite3.OperationalError
            If another process has locked the database.
        """
        if not any(run.pending for run in tree.runs):
            return False
        for run in tree.runs:
            _copy_files(run)
        try:
            with open_database(self._database, _LOCKED, to_write=True) as connection:
                batch = _Batch(connection, self._experiment_id)
                if not batch.fits():
                    return False
                batch.write(tree, continued)
        except (sqlite3.Error, OverflowError, TypeError, UnicodeError) as error:
            if "locked" in str(error):
                raise
            return False  # the client finds out what is wrong, or which entry is not accepted
        return batch.settle()


class _Batch:
    """The changes of one transaction. The outboxes of the runs are emptied after its end."""

    def __init__(self, connection: Connection, experiment_id: str) -> None:
        self._connection = connection
        self._experiment_id = experiment_id
        self._artifacts: str | None = None
        #: Ids of runs and URIs of their artifacts, as far as they are created here.
        self._created: dict[int, tuple[str, str]] = {}
        self._written: set[Run] = set()
        self._ended: set[Run] = set()

    def fits(self) -> bool:
        """Return whether tables and experiment are as expected."""
        if has_known_tables(self._connection):
            self._artifacts = active_experiment(self._connection, self._experiment_id)
        return self._artifacts is not None

    def write(self, tree: RunTree, continued: Container[str]) -> None:
        """Write contents of parents before their children, then outcomes in reverse."""
        for run in tree.runs:
            if run.pending and self._is_plain(run, continued):
                self._write_contents(run)
        waiting = {id(tree.root)} if tree.waits else set()
        for run in reversed(tree.runs):
            complete = run in self._written and not _needs_client(run) and id(run) not in waiting
            if run.ending and complete and run.outcome is not None:
                end_run(self._connection, self._id_of(run), run.outcome.status, run.end)
                self._ended.add(run)
            if run.outcome is None or (run.pending and not (complete and run in self._ended)):
                waiting.add(id(run.parent))

    def _is_plain(self, run: Run, continued: Container[str]) -> bool:
        """Return whether the entries of a run are new to the store and accepted by it, and it has a parent there."""
        if run.doubtful or run.may_have_twin or run.continued or run.key in continued or not run.name:
            return False
        above = run.parent is None or run.parent.run_id is not None or id(run.parent) in self._created
        return above and all(len(value) <= MAX_LENGTH for value in run.params.values())

    def _id_of(self, run: Run) -> str:
        return run.run_id or self._created[id(run)][0]

    def _write_contents(self, run: Run) -> None:
        if run.run_id is None:
            self._create(run)
        elif not is_active(self._connection, run.run_id):
            return  # it was deleted
        run_id = self._id_of(run)
        if run.renamed:
            rename_run(self._connection, run_id, run.name[:KEY_LENGTH])
        if run.tags:
            set_tags(self._connection, run_id, _stored(run, "tag", run.tags))
        if run.params:
            add_params(self._connection, run_id, _stored(run, "param", run.params))
        if run.points:
            points = [
                Measured(stored_key(run.keys, "metric", key), value, time, step)
                for key, value, time, step in run.points
            ]
            add_metrics(self._connection, run_id, points)
        if run.data is not None:
            add_data(self._connection, self._experiment_id, run_id, run.data)
        self._written.add(run)

    def _create(self, run: Run) -> None:
        assert self._artifacts is not None
        name = run.name[:KEY_LENGTH]
        self._created[id(run)] = create_run(self._connection, self._experiment_id, self._artifacts, name, run.start)
        parent_id = None if run.parent is None else self._id_of(run.parent)
        set_tags(self._connection, self._id_of(run), creation_tags(run, parent_id))

    def settle(self) -> bool:
        """Empty the outboxes but for files and models, and return whether there was anything in them."""
        for run in self._written:
            if id(run) in self._created:
                run.run_id, run.artifact_uri = self._created[id(run)]
            for entries in (run.tags, run.params, run.points):
                entries.clear()
            run.data, run.renamed = None, False
        for run in self._ended:
            run.ending = False
        return bool(self._written)


def _needs_client(run: Run) -> bool:
    """Return whether a run has entries that only MLflow's client writes."""
    return bool(run.files or run.models) or any(each is not None for each in (run.held_out, run.scores, run.view))


def _copy_files(run: Run) -> None:
    """Copy files to the artifacts of a run that are in a folder; others, and those that fail, are left to the client."""
    place = urlsplit(run.artifact_uri or "")
    if place.scheme != "file" or place.netloc:
        return
    for name, source in list(run.files.items()):
        target = Path(unquote(place.path)) / as_path(name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        except OSError:
            return
        del run.files[name]


def _stored(run: Run, kind: str, entries: Mapping[str, str]) -> dict[str, str]:
    length = TAG_LENGTH if kind == "tag" else MAX_LENGTH
    return {stored_key(run.keys, kind, key): value[:length] for key, value in entries.items()}
