"""What a served model accepts and returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import Array
from sklearn.utils import get_tags

from seqpipe.sequences import Sequences, Windows, is_table, recorded
from seqpipe.transformers import is_texts

__all__ = ["COLUMN", "describe_input"]

#: The column that holds ragged sequences, each a list of time steps.
COLUMN = "sequence"


def describe_input(estimator: Any, X: Any) -> tuple[Any, ModelSignature]:
    """Return two samples as a served model takes them, and the signature of them and their predictions.

    An array of shape (n_samples, n_timesteps, n_features), or with tensors as steps, becomes a float32 tensor of any
    n_samples and n_timesteps. Ragged sequences become a table whose one column, "sequence", holds lists of time steps. A
    table stays as it is; texts become a table of that column. Predictions of unequal length have no signature.
    """
    X = recorded(X)
    samples = X.iloc[:2] if hasattr(X, "iloc") else X[:2]
    texts = is_texts(samples) or get_tags(estimator).input_tags.string  # tokens may be numbers
    example = _example(samples, texts=texts)
    inputs = _inputs(example, texts=texts)
    predicted = estimator.predict(example)
    ragged = isinstance(predicted, Sequences) or (
        len(predicted) and isinstance(predicted[0], np.ndarray) and predicted.dtype == object
    )
    outputs = None if ragged else infer_signature(model_output=np.asarray(predicted)).outputs
    return example, ModelSignature(inputs=inputs, outputs=outputs)


def _example(samples: Any, *, texts: bool) -> Any:
    if is_table(samples) and not texts:
        return samples
    if isinstance(samples, Windows) or getattr(samples, "ndim", 1) > 2:
        return np.asarray(samples, dtype=np.float32)
    column = samples.iloc[:, 0] if hasattr(samples, "iloc") and samples.ndim == 2 else samples
    if texts:
        return pd.DataFrame({COLUMN: list(column)})
    return pd.DataFrame({COLUMN: [np.reshape(each, (len(each), -1)).astype(float).tolist() for each in column]})


def _inputs(example: Any, *, texts: bool) -> Schema:
    if isinstance(example, pd.DataFrame) and list(example) == [COLUMN] and not texts:
        return Schema([ColSpec(Array(Array(DataType.double)), COLUMN)])
    if getattr(example, "ndim", 2) > 2:
        return Schema([TensorSpec(np.dtype(np.float32), (-1, -1, *example.shape[2:]))])
    inputs: Schema = infer_signature(example).inputs
    return inputs
