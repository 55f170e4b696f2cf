"""Upload saved models as outputs of runs, with their parameters and metrics."""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, Metric
from mlflow.models import Model

from seqpipe.tracking._found_runs import MODEL_KEY, find_model
from seqpipe.tracking._keys import stored_key
from seqpipe.tracking._run import SavedModel, Scores

__all__ = ["find_logged", "link_scores", "model_name", "registered_name", "upload_model"]

#: Parameters whose values are part of a model's name.
_NAMED = ("cell", "hidden_size")
_INVALID = re.compile(r"[^\w-]+")
_NAME_LENGTH = 200


def model_name(label: str, params: Mapping[str, str]) -> str:
    """Return the name of a logged model: a label, its cell and its hidden size, of characters that MLflow allows.

    Examples
    --------
    >>> model_name("digits", {"classifier__cell": "gru", "classifier__hidden_size": "64", "lr": "0.01"})
    'digits-gru-64'
    """
    values = [value for name in _NAMED for key, value in params.items() if key.rpartition("__")[2] == name]
    parts = [_INVALID.sub("-", part).strip("-") for part in (label, *values)]
    return "-".join(part for part in parts if part)[:_NAME_LENGTH] or "model"


def registered_name(experiment: str) -> str:
    """Return the name under which models of an experiment are registered, of characters that MLflow allows.

    Examples
    --------
    >>> registered_name("team/digits: rows")
    'team-digits-rows'
    """
    return re.sub(r"[^\w.]+", "-", experiment).strip("-.")[:_NAME_LENGTH] or "model"


def upload_model(client: MlflowClient, experiment_id: str, run_id: str, saved: SavedModel, *, again: bool) -> str:
    """Upload a saved model as an output of a run and return its URI, "models:/<id>".

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id, run_id : str
        Experiment and run.
    saved : SavedModel
        The model; the name of its folder identifies it in the store.
    again : bool
        Whether an earlier attempt may have uploaded it, or parts of it.
    """
    key = saved.folder.name
    entry = find_model(client, experiment_id, key) if again else None
    entry = entry or client.create_logged_model(
        experiment_id,
        name=saved.name,
        source_run_id=run_id,
        tags={**saved.tags, MODEL_KEY: key},
        params=_stored_params(saved.params),
    )
    if str(entry.status) != "READY":
        _upload_files(client, entry, run_id, saved.folder)
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


def link_scores(client: MlflowClient, run_id: str, uri: str, scores: Scores, taken: dict[tuple[str, str], str]) -> None:
    """Link the last values of metrics of a run to its model and to their data, unless they are linked already.

    The points are those that the run has, so that none is added to it. MLflow would store NaN as the score 0. ``taken`` are
    the keys of the run.
    """
    model_id = uri.removeprefix("models:/")
    linked = {metric.key for metric in client.get_logged_model(model_id).metrics or ()}
    metrics = []
    for key in sorted({stored_key(taken, "metric", name) for name in scores.metrics} - linked):
        history = client.get_metric_history(run_id, key)
        last = max(history, key=lambda point: (point.step, point.timestamp), default=None)
        if last is not None and not math.isnan(last.value):
            data = {"dataset_name": scores.data.name, "dataset_digest": scores.data.digest}
            metrics.append(Metric(key, last.value, last.timestamp, last.step, model_id=model_id, run_id=run_id, **data))
    if metrics:
        client.log_batch(run_id, metrics=metrics)
    if scores.tags:
        client.set_logged_model_tags(model_id, scores.tags)


def _stored_params(params: Mapping[str, str]) -> dict[str, str]:
    taken: dict[tuple[str, str], str] = {}
    return {stored_key(taken, "param", name): value for name, value in params.items()}


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
