"""The data sets that are inputs of a run."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag

from seqpipe.tracking._fingerprint import DataSet

__all__ = ["EVALUATION", "TRAINING", "data_of", "input_of"]

#: The tag of an input that tells what it was used for, and its values.
_CONTEXT, TRAINING, EVALUATION = "mlflow.data.context", "training", "evaluation"


def input_of(data: DataSet, context: str) -> DatasetInput:
    """Return a data set as MLflow's input of a run."""
    dataset = Dataset(data.name, data.digest, source_type="code", source="{}", profile=json.dumps(asdict(data)))
    return DatasetInput(dataset, [InputTag(_CONTEXT, context)])


def data_of(run: Any, context: str) -> Dataset | None:
    """Return the data set that a stored run used for training or evaluation, None if it has none."""
    for given in run.inputs.dataset_inputs if run.inputs is not None else ():
        if {tag.key: tag.value for tag in given.tags}.get(_CONTEXT, TRAINING) == context:
            return given.dataset
    return None
