"""What a served model accepts and returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import Array

from seqpipe.sequences import Windows, is_table

__all__ = ["COLUMN", "describe_input"]

#: The column that holds ragged sequences, each a list of time steps.
COLUMN = "sequence"


def describe_input(estimator: Any, X: Any) -> tuple[Any, ModelSignature]:
    """Return two samples as a served model takes them, and the signature of them and their predictions.

    An array of shape (n_samples, n_timesteps, n_features) becomes a float32 tensor of any n_samples and
    n_timesteps. Ragged sequences become a table whose one column, "sequence", holds lists of time steps. A
    table stays as it is.
    """
    example = _example(X.iloc[:2] if hasattr(X, "iloc") else X[:2])
    inputs = _inputs(example)
    outputs = infer_signature(model_output=np.asarray(estimator.predict(example))).outputs
    return example, ModelSignature(inputs=inputs, outputs=outputs)


def _example(samples: Any) -> Any:
    if is_table(samples):
        return samples
    if isinstance(samples, Windows) or getattr(samples, "ndim", 1) == 3:
        return np.asarray(samples, dtype=np.float32)
    column = samples.iloc[:, 0] if hasattr(samples, "iloc") and samples.ndim == 2 else samples
    return pd.DataFrame({COLUMN: [np.reshape(each, (len(each), -1)).astype(float).tolist() for each in column]})


def _inputs(example: Any) -> Schema:
    if isinstance(example, pd.DataFrame) and list(example) == [COLUMN]:
        return Schema([ColSpec(Array(Array(DataType.double)), COLUMN)])
    if getattr(example, "ndim", 2) == 3:
        return Schema([TensorSpec(np.dtype(np.float32), (-1, -1, example.shape[2]))])
    inputs: Schema = infer_signature(example).inputs
    return inputs
