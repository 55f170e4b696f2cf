"""Models by their names in the registry: versions, aliases and scores."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException

from seqpipe.exceptions import TrackingError
from seqpipe.tracking._held_out import GREATER, HELD_OUT, PRIMARY
from seqpipe.tracking._reach import is_away, reason_of, store_error
from seqpipe.tracking._uri import redacted_uri

__all__ = [
    "HeldOutScores",
    "check_name",
    "current_version",
    "find_version",
    "model_of_version",
    "register",
    "registry",
    "scores_of",
]

#: Tag of a version: the id of its logged model, which not every store keeps; and MLflow's tag of a model that has versions.
_MODEL_ID, _VERSIONS = "seqpipe.model_id", "mlflow.modelVersions"
_NAME = re.compile(r"[\w .-]{1,200}")
#: Number of characters that a database keeps of a description.
_DESCRIPTION = 5000


@dataclass(frozen=True)
class HeldOutScores:
    """Scores of a model on held-out data.

    Attributes
    ----------
    metrics : dict of str to float
        The scores by the names of their metrics.
    primary : str or None
        The one that decides between models; None if none does.
    greater_is_better : bool
        Whether its greater value is better.
    data, digest : str or None
        Name and digest of the data.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    primary: str | None = None
    greater_is_better: bool = True
    data: str | None = None
    digest: str | None = None


def scores_of(model: LoggedModel | None) -> HeldOutScores:
    """Return the held-out scores of a logged model, without any if it has none."""
    found = [each for each in (model.metrics or () if model is not None else ()) if each.key.startswith(HELD_OUT)]
    metrics = {each.key: float(each.value) for each in found if not math.isnan(each.value)}
    primary = model.tags.get(PRIMARY) if model is not None else None
    decisive = next((each for each in found if each.key == primary and primary in metrics), None)
    if model is None or decisive is None:
        return HeldOutScores(metrics)
    greater = model.tags.get(GREATER, "true") == "true"
    return HeldOutScores(metrics, primary, greater, decisive.dataset_name, decisive.dataset_digest)


@contextmanager
def registry(client: MlflowClient) -> Iterator[None]:
    """Turn errors of the model registry in the context into those of seqpipe.

    Raises
    ------
    TrackingError
        If the store has no registry, does not answer, or refuses a request.
    """
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        store, reason = redacted_uri(client.tracking_uri), reason_of(error)
        if isinstance(error, MlflowException) and error.error_code == "FEATURE_DISABLED":
            raise TrackingError(
                f"The store {store!r} has no model registry ({reason}). Databases and MLflow servers have one: correct "
                "MLFLOW_REGISTRY_URI, or use another store."
            ) from error
        if is_away(error):
            raise store_error(client.tracking_uri, error) from error
        raise TrackingError(
            f"The model registry of {store!r} refused the request ({reason}). Check name and alias, and whether you may write to it."
        ) from error


def find_version(client: MlflowClient, address: str) -> Any:
    """Return the version of a registered model at "<name>@<alias>" or "<name>/<version>"."""
    name, at, alias = address.rpartition("@")
    if at:
        return client.get_model_version_by_alias(name, alias)
    name, _, number = address.partition("/")
    return client.get_model_version(name, number)


def current_version(client: MlflowClient, name: str, alias: str) -> Any:
    """Return the version of a registered model that has an alias; None if there is none."""
    try:
        number = client.get_registered_model(name).aliases.get(alias)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return None if number is None else client.get_model_version(name, str(number))


def model_of_version(client: MlflowClient, version: Any) -> LoggedModel | None:
    """Return the logged model of a version; None if it was deleted, or the version is of another kind."""
    model_id = version.tags.get(_MODEL_ID) or version.model_id
    if not model_id:
        return None
    try:
        return client.get_logged_model(model_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def check_name(name: str) -> None:
    """Raise `TrackingError` if a model cannot be registered under this name."""
    if not _NAME.fullmatch(name) or set(name) <= {"."}:
        raise TrackingError(
            f"A model cannot be registered as {name!r}: use up to 200 letters, digits, spaces, '.', '_' and '-', with --name."
        )


def register(client: MlflowClient, model: LoggedModel, name: str, description: str) -> str:
    """Return the number of the version of a registered model that has this logged model, creating what is missing."""
    _create_name(client, name)
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.tags.get(_MODEL_ID) == model.model_id:
            client.update_model_version(name, version.version, description[:_DESCRIPTION])
            return str(version.version)
    made = client.create_model_version(
        name,
        model.artifact_location,
        run_id=model.source_run_id,
        tags={_MODEL_ID: model.model_id},
        description=description[:_DESCRIPTION],
        await_creation_for=0,
        model_id=model.model_id,
    )
    versions = [*json.loads(model.tags.get(_VERSIONS, "[]")), {"name": name, "version": made.version}]
    client.set_logged_model_tags(model.model_id, {_VERSIONS: json.dumps(versions)})
    return str(made.version)


def _create_name(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
