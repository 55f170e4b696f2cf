"""Find or create the experiment of new runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from mlflow import MlflowClient
from mlflow.entities import Experiment

from seqpipe.exceptions import TrackingError
from seqpipe.tracking._creation import creation_lock
from seqpipe.tracking._moved import artifact_root
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._reach import store_error
from seqpipe.tracking._tables import find_experiment, read_tables
from seqpipe.tracking._uri import database_path, redacted_uri

__all__ = ["experiment_id"]


def experiment_id(client: MlflowClient, name: str, waiting: Callable[[], object] = lambda: None) -> str:
    """Return the id of the experiment called ``name``, creating it if necessary.

    ``waiting`` is called while another process creates one.

    Raises
    ------
    TrackingError
        If the store cannot be used, or the experiment was deleted.
    """
    uri = client.tracking_uri
    if (known := read_tables(uri, partial(find_experiment, name=name))) is not None:
        return known
    try:
        with quiet():
            found = client.get_experiment_by_name(name)
            if found is None:
                with creation_lock(uri, waiting):
                    found = client.get_experiment_by_name(name)
                    identifier = found.experiment_id if found else _create_experiment(client, name)
            else:
                identifier = found.experiment_id
    except Exception as error:
        raise store_error(uri, error) from error
    if found is not None and found.lifecycle_stage != "active":
        raise TrackingError(
            f"The experiment {name!r} in {redacted_uri(uri)!r} was deleted: use another name, or restore it with "
            f'"mlflow experiments restore --experiment-id {identifier}".'
        )
    return str(identifier)


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
