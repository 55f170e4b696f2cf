"""Save fitted estimators as MLflow models without pickle."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import mlflow.sklearn
from mlflow.models import Model

from seqpipe.bundle import plugins, trusted_types
from seqpipe.callbacks import without_callbacks
from seqpipe.exceptions import BundleError, TrackingError
from seqpipe.saved import writing
from seqpipe.tracking._environment import installed_version
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._signature import FLAVOR, InputDescription, describe_input

__all__ = ["save_model"]

_REQUIREMENTS = ("mlflow", "numpy", "pandas", "scikit-learn", "seqpipe", "skops", "skorch", "torch")


def save_model(estimator: Any, X: Any, folder: Path, *, metadata: dict[str, Any] | None = None) -> None:
    """Save a fitted estimator as an MLflow model that returns the same predictions.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator.
    X : samples
        At least one sample of the kind the estimator was fitted to; the first two are stored as the input example.
    folder : Path
        Folder to write; must not exist.
    metadata : dict, optional
        Metadata of the model, JSON types only.

    Raises
    ------
    TrackingError
        If the estimator contains types that are not trusted, or whose contents are not checked on loading, or cannot be
        written without pickle.
    """
    estimator = without_callbacks(estimator)
    try:
        trusted = trusted_types(estimator)
    except BundleError as error:
        raise TrackingError(str(error)) from error
    with quiet(), writing(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's hints about integer columns, and its deprecations
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
    _set_loader(folder, described)


def _set_loader(folder: Path, described: InputDescription) -> None:
    model = Model.load(str(folder))
    model.flavors["python_function"]["loader_module"] = "seqpipe.tracking.serving"
    model.add_flavor(FLAVOR, input=described.form, columns=described.columns)
    model.save(str(folder / "MLmodel"))


def _requirements() -> list[str]:
    offered = {point.dist.name for point in plugins() if point.dist is not None}
    pins = {name: installed_version(name) for name in sorted({*_REQUIREMENTS, *offered})}
    return [f"{name}=={version.partition('+')[0]}" for name, version in pins.items() if version]
