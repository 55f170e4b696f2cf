"""Load logged models without pickle, regardless of which types a model itself declares as trusted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow.artifacts
from mlflow import MlflowClient

from seqpipe.bundle import read
from seqpipe.exceptions import BundleError, TrackingError
from seqpipe.tracking._folder import check_folder, read_description
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._registry import find_version
from seqpipe.tracking._store import open_client
from seqpipe.tracking._uri import redacted_uri

__all__ = ["load_model", "local_folder", "read_folder"]


def load_model(model: str, tracking_uri: str | None = None) -> tuple[Any, dict[str, Any]]:
    """Load a model that `MLflowTracker` logged.

    Parameters
    ----------
    model : str
        "models:/<id>", "models:/<name>/<version>", "models:/<name>@<alias>", "runs:/<run id>/model", or the folder of the
        model.
    tracking_uri : str, optional
        URI of the store; by default MLFLOW_TRACKING_URI, else the embedded store of the working folder.

    Returns
    -------
    estimator : estimator
        The fitted estimator.
    metadata : dict
        The metadata it was logged with.

    Raises
    ------
    TrackingError
        If there is no such model, it was written with pickle, its folder contains anything but plain files, or it holds
        types that are not trusted, whose contents are not checked, or values that no fitted model has.
    """
    with local_folder(model, tracking_uri) as folder:
        return read_folder(model, folder)


def read_folder(model: str, folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return estimator and metadata in a local folder; errors call them ``model``."""
    description = read_description(folder, model)
    flavor = description["flavors"]["sklearn"]
    if (written := flavor["serialization_format"]) != "skops":
        raise TrackingError(
            f"The model {model!r} was written with {written!r}, which runs code when it is read. Log it again with "
            "MLflowTracker."
        )
    try:
        estimator = read(folder / flavor["pickled_model"], owner=f"The model {model!r}", writer="MLflowTracker")
    except BundleError as error:
        raise TrackingError(str(error)) from error
    except OSError as error:
        raise TrackingError(
            f"The model {model!r} cannot be read: its file {flavor['pickled_model']!r} cannot ({error.strerror}). Log or "
            "download it again."
        ) from error
    return estimator, dict(description.get("metadata") or {})


@contextmanager
def local_folder(model: str, tracking_uri: str | None) -> Iterator[Path]:
    """Yield the local folder of a model; a downloaded copy is removed on exit."""
    if Path(model).is_dir():
        yield Path(model)
        return
    client = open_client(tracking_uri)
    with tempfile.TemporaryDirectory(prefix="seqpipe-") as folder:
        yield _download(client, model, folder)


def _download(client: MlflowClient, model: str, folder: str) -> Path:
    with _if_missing(client, model):
        uri = _artifact_uri(client, model)
    source = urlsplit(uri)
    place = Path(url2pathname(source.path))
    if source.scheme in ("", "file") and place.is_dir():
        check_folder(place, model)  # a copy would follow links
    with _if_missing(client, model), quiet():
        return Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder, tracking_uri=client.tracking_uri))


@contextmanager
def _if_missing(client: MlflowClient, model: str) -> Iterator[None]:
    """Raise an error that names model and store if the store raises any."""
    try:
        yield
    except Exception as error:
        store = redacted_uri(client.tracking_uri)
        reason = redacted_uri((str(error).strip() or type(error).__name__).splitlines()[0])
        raise TrackingError(f"There is no model {model!r} in {store!r} ({reason}).") from error


def _artifact_uri(client: MlflowClient, model: str) -> str:
    """Return the location of a model's files in this store, which need not be MLflow's global one."""
    scheme, _, rest = model.partition(":/")
    name, _, part = rest.partition("/")
    if scheme == "models" and (part or "@" in name):
        version = find_version(client, rest)
        return str(client.get_model_version_download_uri(version.name, version.version))
    if scheme == "models":
        return str(client.get_logged_model(name).artifact_location)
    if scheme == "runs":
        outputs = client.get_run(name).outputs
        found = [client.get_logged_model(each.model_id) for each in (outputs.model_outputs if outputs else [])]
        # models were called "model" before their names told cell and size
        places = [str(each.artifact_location) for each in found if part in (each.name, "model")]
        if not places:
            raise TrackingError(f"the run has no model called {part!r}")
        return places[-1]
    raise TrackingError("it is neither models:/…, runs:/… nor a folder")
