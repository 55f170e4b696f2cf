"""What target columns hold: labels, or numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["labels_of", "numbers_of"]


def labels_of(targets: pd.DataFrame, name: str, *, for_numbers: str) -> NDArray[Any]:
    """Return the labels of the one target column, shape (n_rows,).

    Parameters
    ----------
    targets : DataFrame of shape (n_rows, n_targets)
        The target columns.
    name : str
        What errors call the table.
    for_numbers : str
        The task that takes numbers, for errors.

    Raises
    ------
    InvalidSequencesError
        If there are several columns, or they hold fractions.
    """
    if targets.shape[1] != 1:
        raise InvalidSequencesError(
            f"Classification has one target column. Got {list(targets.columns)} for {name!r}: choose one of them."
        )
    labels = targets.iloc[:, 0]
    if pd.api.types.is_float_dtype(labels.dtype) and (labels % 1 != 0).any():
        raise InvalidSequencesError(
            f"The target {labels.name!r} of {name!r} holds fractions such as "
            f"{labels[labels % 1 != 0].iloc[0]}, not labels: use the task {for_numbers!r}, or bin it first."
        )
    array = np.asarray(labels)
    return array.astype(str) if all(isinstance(label, str) for label in array) else array


def numbers_of(targets: pd.DataFrame, name: str, *, for_labels: str, unit: str) -> NDArray[np.float64]:
    """Return the numbers of the target columns, shape (n_rows, n_targets).

    Parameters
    ----------
    targets : DataFrame of shape (n_rows, n_targets)
        The target columns.
    name : str
        What errors call the table.
    for_labels : str
        The task that takes labels, for errors.
    unit : {"sequence", "step"}
        What a row stands for.

    Raises
    ------
    InvalidSequencesError
        If a column does not hold numbers, or a value is infinite; names the place.
    """
    for column in targets:
        if not pd.api.types.is_numeric_dtype(targets[column].dtype):
            raise InvalidSequencesError(
                f"The target {column!r} of {name!r} holds {targets[column].dtype}, not numbers: for "
                f"labels use the task {for_labels!r}."
            )
    values = targets.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise InvalidSequencesError(
            f"The target {targets.columns[column]!r} of {name!r} is infinite at "
            f"{targets.index.name or 'row'} {targets.index[row]}: clip it, or drop that {unit}."
        )
    return values
