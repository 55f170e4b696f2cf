"""Describe inputs and outputs of served models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import AnyType

from seqpipe.sequences import Sequences, Windows, is_table, recorded
from seqpipe.serving import COLUMN, Form, plain_output, takes_texts, with_ids
from seqpipe.tables import id_levels
from seqpipe.transformers import is_texts

__all__ = ["FLAVOR", "InputDescription", "describe_input"]

#: Flavor in the file MLmodel that describes the form of the input.
FLAVOR = "seqpipe"


@dataclass(frozen=True)
class InputDescription:
    """Two samples in the form that a served model accepts, and a description of this form.

    Attributes
    ----------
    example : DataFrame or array
        The samples.
    form : {"sequences", "array", "table", "panel", "texts"}
        A column of lists of time steps, an array, a table with one row per sample or per time step of a series with an
        id, or a column of texts.
    columns : list of [name, bool]
        Names of the columns of a table, and whether each is numeric; else empty. Those of ids are not.
    signature : ModelSignature, or False for none
        Signature for MLflow. It leaves out numeric inputs, of which MLflow would accept the dtype of the training data
        only; `seqpipe.serving` checks them instead.
    """

    example: Any
    form: Form
    columns: list[list[Any]]
    signature: ModelSignature | Literal[False]


def describe_input(estimator: Any, X: Any) -> InputDescription:
    """Describe the input of a fitted estimator, given samples of its training data.

    An array of shape (n_samples, n_timesteps, n_features), or with tensors as steps, accepts any n_samples and
    n_timesteps. Ragged sequences become a table with a single column, "sequence", of lists of time steps. A table is
    unchanged, but for a panel, whose ids become columns; texts become a table with that column. Predictions of
    unequal length have no signature.
    """
    X = recorded(X)
    samples = X.iloc[:2] if hasattr(X, "iloc") else X[:2]
    form = _form(estimator, samples)
    example = _example(samples, form)
    columns = _columns(example, form, n_ids=samples.index.nlevels - 1 if form == "panel" else 0)
    asked = with_ids(example, columns, estimator) if form == "panel" else example
    predicted = plain_output(estimator.predict(asked))
    ragged = isinstance(predicted, Sequences) or (
        len(predicted) and isinstance(predicted[0], np.ndarray) and predicted.dtype == object
    )
    outputs = None if ragged else infer_signature(model_output=np.asarray(predicted)).outputs
    inputs = _inputs(example, form)
    signature: ModelSignature | Literal[False] = ModelSignature(inputs, outputs) if inputs or outputs else False
    return InputDescription(example, form, columns, signature)


def _form(estimator: Any, samples: Any) -> Form:
    if is_texts(samples) or takes_texts(estimator):  # tokens may be numbers
        return "texts"
    if isinstance(getattr(samples, "index", None), pd.MultiIndex):
        return "panel"
    if is_table(samples):
        return "table" if isinstance(samples, pd.DataFrame) else "array"
    return "array" if isinstance(samples, Windows) or getattr(samples, "ndim", 1) > 2 else "sequences"


def _example(samples: Any, form: Form) -> Any:
    if form == "panel":
        return _with_id_columns(pd.DataFrame(samples))
    if form == "table":  # rows of a client have no times, which for a forecast would have to follow the training data
        return samples.reset_index(drop=True)
    if form == "array":
        table = is_table(samples) or np.ndim(samples) == 1
        return np.asarray(samples) if table else np.asarray(samples, dtype=np.float32)
    column = samples.iloc[:, 0] if hasattr(samples, "iloc") and samples.ndim == 2 else samples
    if form == "texts":
        return pd.DataFrame({COLUMN: list(column)})
    return pd.DataFrame({COLUMN: [np.reshape(each, (len(each), -1)).astype(float).tolist() for each in column]})


def _with_id_columns(samples: pd.DataFrame) -> pd.DataFrame:
    named = pd.MultiIndex.from_tuples(
        samples.index, names=[f"level_{i}" if name is None else name for i, name in enumerate(samples.index.names)]
    )
    return samples.set_axis(named, axis=0).reset_index(level=list(id_levels(named))).reset_index(drop=True)


def _inputs(example: Any, form: Form) -> Schema | None:
    if form not in ("sequences", "texts"):
        return None
    kind = DataType.string if isinstance(example[COLUMN].iloc[0], str) else AnyType()  # type: ignore[no-untyped-call]
    return Schema([ColSpec(kind, COLUMN)])


def _columns(example: Any, form: Form, *, n_ids: int) -> list[list[Any]]:
    if form == "panel":
        return [[name, i >= n_ids] for i, name in enumerate(example)]
    return [[name, pd.api.types.is_numeric_dtype(example[name].dtype)] for name in example] if form == "table" else []
