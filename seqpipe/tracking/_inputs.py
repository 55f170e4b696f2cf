"""The data sets that are inputs of a run."""

from __future__ import annotations

from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag

from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._tables import DATA_CONTEXT

__all__ = ["EVALUATION", "TRAINING", "data_of", "input_of"]

#: What an input was used for.
TRAINING, EVALUATION = "training", "evaluation"


def input_of(data: DataSet, context: str) -> DatasetInput:
    """Return a data set as MLflow's input of a run."""
    dataset = Dataset(data.name, data.digest, source_type="code", source="{}", profile=data.profile)
    return DatasetInput(dataset, [InputTag(DATA_CONTEXT, context)])


def data_of(run: Any, context: str) -> Dataset | None:
    """Return the data set that a stored run used for training or evaluation, None if it has none."""
    for given in run.inputs.dataset_inputs if run.inputs is not None else ():
        if {tag.key: tag.value for tag in given.tags}.get(DATA_CONTEXT, TRAINING) == context:
            return given.dataset
    return None
