"""Load logged models without pickle, regardless of which types a model itself declares as trusted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.models import Model

from seqpipe.bundle import read
from seqpipe.exceptions import BundleError, TrackingError
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._store import open_client
from seqpipe.tracking._uri import redacted_uri

__all__ = ["load_model"]


def load_model(model: str, tracking_uri: str | None = None) -> tuple[Any, dict[str, Any]]:
    """Load a model that `MLflowTracker` logged.

    Parameters
    ----------
    model : str
        "models:/<id>", "models:/<name>/<version>", "runs:/<run id>/model", or the folder of the model.
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
        If there is no such model, it was written with pickle, or it contains types that are not trusted, or whose
        contents are not checked on loading.
    """
    with _local_folder(model, tracking_uri) as folder:
        return _read(model, folder)


def _read(model: str, folder: Path) -> tuple[Any, dict[str, Any]]:
    try:
        description = Model.load(str(folder))
        flavor = description.flavors["sklearn"]
        if (written := flavor.get("serialization_format")) != "skops":
            raise TrackingError(
                f"The model {model!r} was written with {written!r}, which runs code when it is read. Log it "
                "again with MLflowTracker."
            )
        file = folder / Path(flavor["pickled_model"]).name
        return read(file, owner=f"The model {model!r}", writer="MLflowTracker"), dict(description.metadata or {})
    except TrackingError:
        raise
    except BundleError as error:
        raise TrackingError(str(error)) from error
    except Exception as error:  # a damaged folder may raise any error
        reason = " ".join(str(error).split())
        raise TrackingError(f"The model {model!r} cannot be read ({type(error).__name__}: {reason}).") from error


@contextmanager
def _local_folder(model: str, tracking_uri: str | None) -> Iterator[Path]:
    """Yield the local folder of a model; a downloaded copy is removed on exit."""
    if Path(model).is_dir():
        yield Path(model)
        return
    client = open_client(tracking_uri)
    with tempfile.TemporaryDirectory(prefix="seqpipe-") as folder:
        yield _download(client, model, folder)


def _download(client: MlflowClient, model: str, folder: str) -> Path:
    try:
        with quiet():
            return Path(mlflow.artifacts.download_artifacts(_artifact_uri(client, model), dst_path=folder))
    except Exception as error:
        store = redacted_uri(client.tracking_uri)
        reason = redacted_uri((str(error).strip() or type(error).__name__).splitlines()[0])
        raise TrackingError(f"There is no model {model!r} in {store!r} ({reason}).") from error


def _artifact_uri(client: MlflowClient, model: str) -> str:
    """Return the location of a model's files in this store, which need not be MLflow's global one."""
    scheme, _, rest = model.partition(":/")
    name, _, part = rest.partition("/")
    if scheme == "models" and part:
        return str(client.get_model_version_download_uri(name, part))
    if scheme == "models":
        return str(client.get_logged_model(name).artifact_location)
    if scheme == "runs":
        outputs = client.get_run(name).outputs
        found = [client.get_logged_model(each.model_id) for each in (outputs.model_outputs if outputs else [])]
        places = [str(each.artifact_location) for each in found if each.name == part]
        if not places:
            raise TrackingError(f"the run has no model called {part!r}")
        return places[-1]
    raise TrackingError("it is neither models:/…, runs:/… nor a folder")
