"""The data sets that are inputs of a run."""

from __future__ import annotations

from typing import Any

from mlflow.entities import Dataset

__all__ = ["CONTEXT", "EVALUATION", "TRAINING", "data_of"]

#: The tag of an input that tells what it was used for, and its values.
CONTEXT, TRAINING, EVALUATION = "mlflow.data.context", "training", "evaluation"


def data_of(run: Any, context: str) -> Dataset | None:
    """Return the data set that a stored run used for training or evaluation, None if it has none."""
    for given in run.inputs.dataset_inputs if run.inputs is not None else ():
        if {tag.key: tag.value for tag in given.tags}.get(CONTEXT, TRAINING) == context:
            return given.dataset
    return None
