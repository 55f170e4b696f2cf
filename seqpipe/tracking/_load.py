"""A logged model read back: without pickle, and without a word of its own on what to trust."""

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
    """Return the estimator of a model that `MLflowTracker` has logged, and the metadata it was logged with.

    Parameters
    ----------
    model : str
        "models:/<id>", "models:/<name>/<version>", "runs:/<run id>/model", or the model's folder.
    tracking_uri : str, optional
        The store; MLFLOW_TRACKING_URI if not given, else the embedded one of the working folder.

    Raises
    ------
    TrackingError
        If there is no such model, it was written with pickle, or it holds types that nobody vouches for, or whose
        contents nobody checks.
    """
    with _fetched(model, tracking_uri) as folder:
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
        return read(file, owner=f"The model {model!r}"), dict(description.metadata or {})
    except TrackingError:
        raise
    except BundleError as error:
        raise TrackingError(str(error)) from error
    except Exception as error:  # a damaged folder may fail in any way
        reason = " ".join(str(error).split())
        raise TrackingError(f"The model {model!r} cannot be read ({type(error).__name__}: {reason}).") from error


@contextmanager
def _fetched(model: str, tracking_uri: str | None) -> Iterator[Path]:
    """Hold the model's folder, of which a copy is gone afterwards."""
    if Path(model).is_dir():
        yield Path(model)
        return
    client = open_client(tracking_uri)
    with tempfile.TemporaryDirectory(prefix="seqpipe-") as folder:
        yield _download(client, model, folder)


def _download(client: MlflowClient, model: str, folder: str) -> Path:
    try:
        with quiet():
            return Path(mlflow.artifacts.download_artifacts(_place(client, model), dst_path=folder))
    except Exception as error:
        store = redacted_uri(client.tracking_uri)
        reason = redacted_uri((str(error).strip() or type(error).__name__).splitlines()[0])
        raise TrackingError(f"There is no model {model!r} in {store!r} ({reason}).") from error


def _place(client: MlflowClient, model: str) -> str:
    """Ask this store, and not MLflow's global one, where a model's files are."""
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
