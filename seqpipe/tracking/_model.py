"""A fitted estimator as an MLflow model, kept without pickle."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import mlflow.sklearn
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model

from seqpipe.bundle import plugins, trusted_types
from seqpipe.callbacks import without_callbacks
from seqpipe.exceptions import BundleError, TrackingError
from seqpipe.tracking._environment import installed_version
from seqpipe.tracking._publish import Publisher
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._run import Run
from seqpipe.tracking._signature import FLAVOR, InputDescription, describe_input

__all__ = ["save_model", "upload_model"]

_REQUIREMENTS = ("mlflow", "numpy", "pandas", "scikit-learn", "seqpipe", "skops", "skorch", "torch")


def save_model(estimator: Any, X: Any, folder: Path, *, metadata: dict[str, Any] | None = None) -> None:
    """Write a fitted estimator to ``folder`` as an MLflow model that predicts what the estimator predicts.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : samples
        At least one sample such as the estimator was fitted to; the first two go along as an example.
    folder : Path
        Must not exist.
    metadata : dict, optional
        What the model says about itself, JSON's types only.

    Raises
    ------
    TrackingError
        If the estimator holds objects of types that nobody vouches for, or whose contents nobody checks when they are
        read, or cannot be written without pickle.
    """
    estimator = without_callbacks(estimator)
    try:
        trusted = trusted_types(estimator)
    except BundleError as error:
        raise TrackingError(str(error)) from error
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's hints on integer columns and its deprecations
        described = describe_input(estimator, X)
        mlflow.sklearn.save_model(
            estimator,
            str(folder),
            serialization_format="skops",
            skops_trusted_types=trusted,
            signature=described.signature,
            input_example=described.example,
            pip_requirements=_requirements(),
            metadata=metadata or None,
        )
    _let_seqpipe_serve(folder, described)


def upload_model(publisher: Publisher, run: Run, folder: Path) -> str:
    """Make a saved model an output of ``run`` and return its URI, "models:/<id>"."""
    client, run_id = publisher.client, publisher.publish(run)
    entry = client.create_logged_model(publisher.experiment_id, name="model", source_run_id=run_id)
    _name_its_place(folder, entry, run_id)
    client.log_model_artifacts(entry.model_id, str(folder))
    client.finalize_logged_model(entry.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(entry.model_id, step=0)])
    return f"models:/{entry.model_id}"


def _let_seqpipe_serve(folder: Path, described: InputDescription) -> None:
    model = Model.load(str(folder))
    model.flavors["python_function"]["loader_module"] = "seqpipe.tracking.serving"
    model.add_flavor(FLAVOR, input=described.form, columns=described.columns)
    model.save(str(folder / "MLmodel"))


def _name_its_place(folder: Path, entry: Any, run_id: str) -> None:
    model = Model.load(str(folder))
    model.run_id, model.artifact_path = run_id, entry.artifact_location
    model.model_id = model.model_uuid = entry.model_id
    model.save(str(folder / "MLmodel"))


def _requirements() -> list[str]:
    offered = {point.dist.name for point in plugins() if point.dist is not None}
    pins = {name: installed_version(name) for name in sorted({*_REQUIREMENTS, *offered})}
    return [f"{name}=={version.partition('+')[0]}" for name, version in pins.items() if version]
