"""Upload saved models as outputs of runs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model

from seqpipe.tracking._found_runs import MODEL_KEY, find_model

__all__ = ["find_logged", "upload_model"]


def upload_model(client: MlflowClient, experiment_id: str, run_id: str, folder: Path, *, again: bool) -> str:
    """Upload a saved model as an output of a run and return its URI, "models:/<id>".

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id, run_id : str
        Experiment and run.
    folder : Path
        The saved model; its name identifies the model in the store.
    again : bool
        Whether an earlier attempt may have uploaded it, or parts of it.
    """
    entry = find_model(client, experiment_id, folder.name) if again else None
    entry = entry or client.create_logged_model(
        experiment_id, name="model", source_run_id=run_id, tags={MODEL_KEY: folder.name}
    )
    if str(entry.status) != "READY":
        _upload_files(client, entry, run_id, folder)
        client.finalize_logged_model(entry.model_id, "READY")
    if not (again and entry.model_id in _outputs(client, run_id)):
        client.log_outputs(run_id, [LoggedModelOutput(entry.model_id, step=0)])
    return f"models:/{entry.model_id}"


def find_logged(client: MlflowClient, run_id: str) -> str | None:
    """Return the URI of a complete model of a run, or None if it has none."""
    for model_id in sorted(_outputs(client, run_id)):
        if str(client.get_logged_model(model_id).status) == "READY":
            return f"models:/{model_id}"
    return None


def _upload_files(client: MlflowClient, entry: Any, run_id: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:  # MLflow does not read folders of every name
        copied = Path(shutil.copytree(folder, Path(temporary) / "model"))
        _set_identity(copied, entry, run_id)
        client.log_model_artifacts(entry.model_id, str(copied))


def _outputs(client: MlflowClient, run_id: str) -> set[str]:
    outputs = client.get_run(run_id).outputs
    return {each.model_id for each in outputs.model_outputs} if outputs is not None else set()


def _set_identity(folder: Path, entry: Any, run_id: str) -> None:
    model = Model.load(str(folder))
    model.run_id, model.artifact_path = run_id, entry.artifact_location
    model.model_id = model.model_uuid = entry.model_id
    model.save(str(folder / "MLmodel"))
