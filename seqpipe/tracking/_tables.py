"""The tables of an embedded store that describe runs, as MLflow has them.

MLflow's own client needs dozens of statements and a synchronised transaction for each change of a run. Whoever uses this module
has to check with `has_known_tables` that the tables are those that it knows, and to use the client if not.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar
from uuid import uuid4

from seqpipe.tracking._database import Connection, open_database
from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._uri import database_path

__all__ = [
    "DATA_CONTEXT",
    "Measured",
    "active_experiment",
    "add_data",
    "add_metrics",
    "add_params",
    "create_run",
    "end_run",
    "find_experiment",
    "has_known_tables",
    "is_active",
    "read_tables",
    "rename_run",
    "set_tags",
    "tags_of_open_runs",
]

T = TypeVar("T")

#: Seconds to wait for a database that another process has locked, to read: MLflow's client waits after that.
_LOCKED = 0.5
#: The columns of the tables that are written.
_COLUMNS = {
    "experiments": "artifact_location creation_time experiment_id last_update_time lifecycle_stage name workspace",
    "runs": "artifact_uri deleted_time end_time entry_point_name experiment_id lifecycle_stage name run_uuid source_name "
    "source_type source_version start_time status user_id",
    "tags": "key run_uuid value",
    "params": "key run_uuid value",
    "metrics": "is_nan key run_uuid step timestamp value",
    "latest_metrics": "is_nan key run_uuid step timestamp value",
    "datasets": "dataset_profile dataset_schema dataset_source dataset_source_type dataset_uuid digest experiment_id name",
    "inputs": "destination_id destination_type input_uuid source_id source_type step",
    "input_tags": "input_uuid name value",
}
#: Those that older versions of MLflow lack.
_LATER = {("experiments", "workspace")}
_NAME = "mlflow.runName"
#: The tag of an input that tells what the data was used for.
DATA_CONTEXT = "mlflow.data.context"
_LARGEST = 1.7976931348623157e308


class Measured(NamedTuple):
    """A point of a metric as it is stored; ``timestamp`` in milliseconds since 1970."""

    key: str
    value: float
    timestamp: int
    step: int


def read_tables(uri: str, read: Callable[[Connection], T]) -> T | None:
    """Return what ``read`` finds in the tables of a store, None if it has no tables that are known here."""
    database = database_path(uri)
    if database is None:
        return None
    try:
        with open_database(database, _LOCKED, to_write=False) as connection:
            return read(connection) if has_known_tables(connection) else None
    except sqlite3.Error:
        return None


def has_known_tables(connection: Connection) -> bool:
    """Return whether the tables have the columns, and no others, that are known here."""
    (schema,) = connection.execute("PRAGMA schema_version").fetchone()
    if connection.known_schema != schema:
        connection.known_schema = schema if _are_all_known(_all_columns(connection)) else None
    return connection.known_schema is not None


def _are_all_known(there: Mapping[str, set[str]]) -> bool:
    return all(_are_known(table, set(columns.split()), there.get(table, set())) for table, columns in _COLUMNS.items())


def _all_columns(connection: sqlite3.Connection) -> dict[str, set[str]]:
    query = (
        "SELECT tables.name, columns.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns "
        f"WHERE tables.type = 'table' AND tables.name IN ({', '.join('?' * len(_COLUMNS))})"
    )
    there: dict[str, set[str]] = {}
    for table, column in connection.execute(query, list(_COLUMNS)):
        there.setdefault(table, set()).add(column)
    return there


def _are_known(table: str, known: set[str], there: set[str]) -> bool:
    return there <= known and all((table, name) in _LATER for name in known - there)


def active_experiment(connection: sqlite3.Connection, experiment_id: str) -> str | None:
    """Return the URI of the artifacts of an experiment, None if it was deleted."""
    query = "SELECT artifact_location FROM experiments WHERE experiment_id = ? AND lifecycle_stage = 'active'"
    found = connection.execute(query, (int(experiment_id),)).fetchone()
    return None if found is None or not found[0] else str(found[0])


def find_experiment(connection: sqlite3.Connection, name: str) -> str | None:
    """Return the id of the experiment with a name; None if there is none, or it was deleted, or there are several."""
    found = connection.execute(
        "SELECT experiment_id, lifecycle_stage FROM experiments WHERE name = ?", (name,)
    ).fetchall()
    return str(found[0][0]) if [stage for _, stage in found] == ["active"] else None


def is_active(connection: sqlite3.Connection, run_id: str) -> bool:
    """Return whether a run is there and was not deleted."""
    query = "SELECT 1 FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'"
    return connection.execute(query, (run_id,)).fetchone() is not None


def create_run(
    connection: sqlite3.Connection, experiment_id: str, artifacts: str, name: str, start: int
) -> tuple[str, str]:
    """Create a run in an experiment whose artifacts are at ``artifacts``; return its id and the URI of its own."""
    run_id = uuid4().hex
    artifact_uri = f"{artifacts.rstrip('/')}/{run_id}/artifacts"
    connection.execute(
        "INSERT INTO runs (run_uuid, name, artifact_uri, experiment_id, source_type, source_name, entry_point_name, user_id, "
        "status, start_time, source_version, lifecycle_stage) "
        "VALUES (?, ?, ?, ?, 'UNKNOWN', '', '', 'unknown', 'RUNNING', ?, '', 'active')",
        (run_id, name, artifact_uri, int(experiment_id), start),
    )
    set_tags(connection, run_id, {_NAME: name})
    return run_id, artifact_uri


def rename_run(connection: sqlite3.Connection, run_id: str, name: str) -> None:
    """Rename a run."""
    connection.execute("UPDATE runs SET name = ? WHERE run_uuid = ?", (name, run_id))
    set_tags(connection, run_id, {_NAME: name})


def end_run(connection: sqlite3.Connection, run_id: str, status: str, end: int | None) -> None:
    """End a run."""
    connection.execute("UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", (status, end, run_id))


def set_tags(connection: sqlite3.Connection, run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of a run."""
    connection.executemany(
        "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?) "
        "ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value",
        [(key, value, run_id) for key, value in tags.items()],
    )


def add_params(connection: sqlite3.Connection, run_id: str, params: Mapping[str, str]) -> None:
    """Add parameters to a run.

    Raises
    ------
    sqlite3.IntegrityError
        If one of them has another value already.
    """
    there = dict(connection.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,)))
    connection.executemany(
        "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
        [(key, value, run_id) for key, value in params.items() if there.get(key) != value],
    )


def add_metrics(connection: sqlite3.Connection, run_id: str, points: Iterable[Measured]) -> None:
    """Add points of metrics to a run; one that is there already is not added again."""
    rows = [(point.key, *_as_stored(point.value), point.timestamp, point.step, run_id) for point in points]
    columns = "(key, value, is_nan, timestamp, step, run_uuid) VALUES (?, ?, ?, ?, ?, ?)"
    connection.executemany(f"INSERT OR IGNORE INTO metrics {columns}", rows)
    latest: dict[str, tuple[str, float, bool, int, int, str]] = {}
    for row in rows:
        if row[0] not in latest or _order(row) > _order(latest[row[0]]):
            latest[row[0]] = row
    connection.executemany(
        f"INSERT INTO latest_metrics {columns} ON CONFLICT (key, run_uuid) DO UPDATE "
        "SET value = excluded.value, is_nan = excluded.is_nan, timestamp = excluded.timestamp, step = excluded.step "
        "WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)",
        latest.values(),
    )


def _order(row: tuple[str, float, bool, int, int, str]) -> tuple[int, int, float]:
    _, value, _, timestamp, step, _ = row
    return step, timestamp, value


def _as_stored(value: float) -> tuple[float, bool]:
    """Return a value as MLflow stores it, and whether it is NaN."""
    if math.isnan(value):
        return 0.0, True
    return max(-_LARGEST, min(_LARGEST, value)), False


def add_data(connection: sqlite3.Connection, experiment_id: str, run_id: str, data: DataSet) -> None:
    """Note the training data of a run."""
    digest, identifier = data.digest, uuid4().hex
    connection.execute(
        "INSERT OR IGNORE INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source, "
        "dataset_profile) VALUES (?, ?, ?, ?, 'code', '{}', ?)",
        (identifier, int(experiment_id), data.name, digest, data.profile),
    )
    query = "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
    (source,) = connection.execute(query, (int(experiment_id), data.name, digest)).fetchone()
    link = uuid4().hex
    added = connection.execute(
        "INSERT OR IGNORE INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id) "
        "VALUES (?, 'DATASET', ?, 'RUN', ?)",
        (link, source, run_id),
    )
    if added.rowcount:
        tag = (link, DATA_CONTEXT, "training")
        connection.execute("INSERT INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?)", tag)


def tags_of_open_runs(connection: sqlite3.Connection, prefix: str) -> list[dict[str, str]]:
    """Return the tags whose keys begin with ``prefix`` of each run that is open and was not deleted."""
    found: dict[str, dict[str, str]] = {}
    query = (
        "SELECT runs.run_uuid, tags.key, tags.value FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid "
        "WHERE runs.status = 'RUNNING' AND runs.lifecycle_stage = 'active' AND substr(tags.key, 1, ?) = ?"
    )
    for run_id, key, value in connection.execute(query, (len(prefix), prefix)):
        found.setdefault(run_id, {})[key] = value
    return list(found.values())
