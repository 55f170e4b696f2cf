"""A logged model read back: without pickle, and without a word of its own on what to trust."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.artifacts
import skops.io
from mlflow import MlflowClient
from mlflow.models import Model

from seqpipe.exceptions import TrackingError
from seqpipe.tracking._model import foreign_types
from seqpipe.tracking._store import open_client, quiet

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
        If there is no such model, it was written with pickle, or it holds types that nobody vouches for.
    """
    folder = _fetched(model, tracking_uri)
    try:
        description = Model.load(str(folder))
        flavor = description.flavors["sklearn"]
        if (written := flavor.get("serialization_format")) != "skops":
            raise TrackingError(
                f"The model {model!r} was written with {written!r}, which runs code when it is read. Log it "
                "again with MLflowTracker."
            )
        file = folder / Path(flavor["pickled_model"]).name
        found = skops.io.get_untrusted_types(file=file)
        if foreign := foreign_types(found):
            raise TrackingError(
                f"The model {model!r} holds {', '.join(foreign)}, which comes neither from scikit-learn, "
                "numpy or seqpipe nor from an installed plug-in. Install the plug-in that it needs."
            )
        return skops.io.load(file, trusted=found), dict(description.metadata or {})
    except TrackingError:
        raise
    except Exception as error:  # a damaged folder may fail in any way
        reason = " ".join(str(error).split())
        raise TrackingError(f"The model {model!r} cannot be read ({type(error).__name__}: {reason}).") from error


def _fetched(model: str, tracking_uri: str | None) -> Path:
    if Path(model).is_dir():
        return Path(model)
    client = open_client(tracking_uri)
    try:
        with quiet():
            return Path(mlflow.artifacts.download_artifacts(_place(client, model)))
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TrackingError(f"There is no model {model!r} in {client.tracking_uri!r} ({reason}).") from error


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
