"""Load a model to be served: a logged one, or a file."""

from __future__ import annotations

from pathlib import Path

from seqpipe.bundle import load
from seqpipe.exceptions import TrackingError
from seqpipe.serving import ServedModel, form_of
from seqpipe.tracking import load_served

__all__ = ["load_model_to_serve"]


def load_model_to_serve(model: str, tracking_uri: str | None = None) -> ServedModel:
    """Return a model with the form of its input.

    Parameters
    ----------
    model : str
        "models:/…", "runs:/…", the folder of a model, or a file that `seqpipe.save` has written.
    tracking_uri : str, optional
        The store of the model; by default MLFLOW_TRACKING_URI, else the embedded store in the working folder.

    Raises
    ------
    TrackingError, BundleError
        If there is no such model, or it cannot be loaded safely.
    """
    if not Path(model).exists() and ":/" not in model:
        raise TrackingError(
            f"There is no model {model!r}: give models:/… or runs:/… as a run prints it, the folder of a model, or a file of "
            "seqpipe.save."
        )
    if not Path(model).is_file():
        return load_served(model, tracking_uri)
    estimator = load(model)
    return ServedModel(estimator, *form_of(estimator))
