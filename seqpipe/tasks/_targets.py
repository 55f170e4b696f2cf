"""Validation of target columns: labels or numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import holds_text, number_matrix, read_numbers, row_place

__all__ = ["labels_of", "numbers_of"]


def labels_of(targets: pd.DataFrame, name: str, *, for_numbers: str) -> NDArray[Any]:
    """Return the labels: shape (n_rows,), or indicators (n_rows, n_labels) if there are several target columns.

    Parameters
    ----------
    targets : DataFrame of shape (n_rows, n_targets)
        The target columns.
    name : str
        Name of the table in error messages.
    for_numbers : str
        The corresponding task for numbers, named in error messages.

    Raises
    ------
    InvalidSequencesError
        If the values are not integers or labels or, in several columns, not 0 and 1; the message names the position.
    """
    if targets.shape[1] > 1:
        return np.column_stack([_indicators(targets, str(column), name) for column in targets])
    labels = targets.iloc[:, 0]
    fraction = _first_fraction(labels)
    if fraction is not None:
        raise InvalidSequencesError(
            f"The target {labels.name!r} of {name!r} holds fractions such as {fraction}, not labels: use the task "
            f"{for_numbers!r}, or bin the values first."
        )
    return _plain(labels)


def _indicators(targets: pd.DataFrame, column: str, name: str) -> NDArray[np.int64]:
    """Return one of several target columns, whose values are 0 and 1 or booleans."""
    read = read_numbers(targets[column])
    wrong = read.unread | ~np.isin(read.values, (0, 1))
    if wrong.any():
        row = int(wrong.argmax())
        raise InvalidSequencesError(
            "With several target columns, each is a label that applies or not, so that its values must be 0 or 1. The "
            f"target {column!r} of {name!r} is {targets[column].tolist()[row]!r:.60} at {row_place(targets, row)}. For one "
            "class per sequence or step, name one target column."
        )
    return read.values.astype(np.int64)


def _first_fraction(labels: pd.Series[Any]) -> Any:
    """Return a label that is a fraction; for text only if most labels occur only once."""
    text = holds_text(labels)
    if not text and not pd.api.types.is_float_dtype(labels.dtype):
        return None
    read = read_numbers(labels)
    if text and (read.n_unread or 2 * labels.nunique() <= len(labels)):
        return None
    finite = np.where(np.isfinite(read.values), read.values, 0)
    fractions = np.flatnonzero(finite % 1 > 0)
    return labels.iloc[fractions[0]] if len(fractions) else None


def _plain(labels: pd.Series[Any]) -> NDArray[Any]:
    """Return labels as NumPy strings, booleans or numbers, independent of their storage type."""
    if isinstance(labels.dtype, pd.CategoricalDtype):
        labels = labels.astype(labels.dtype.categories.dtype)
    decimals = isinstance(labels.dtype, pd.ArrowDtype) and pa.types.is_decimal(labels.dtype.pyarrow_dtype)
    array = np.asarray([str(label) for label in labels] if decimals else labels.to_numpy())
    is_uniform = pd.api.types.infer_dtype(array, skipna=False) in ("string", "boolean", "integer", "floating")
    return np.array(array.tolist()) if array.dtype == object and is_uniform else array


def numbers_of(targets: pd.DataFrame, name: str, *, for_labels: str, unit: str) -> NDArray[np.float64]:
    """Return the numbers of the target columns, shape (n_rows, n_targets).

    Parameters
    ----------
    targets : DataFrame of shape (n_rows, n_targets)
        The target columns.
    name : str
        Name of the table in error messages.
    for_labels : str
        The corresponding task for labels, named in error messages.
    unit : {"sequence", "step"}
        What a row represents.

    Raises
    ------
    InvalidSequencesError
        If a column does not hold numbers, or a value is infinite; the message names the position.
    """
    for column in targets:
        read = read_numbers(targets[column])
        if read.n_unread:
            row = int(read.unread.argmax())
            raise InvalidSequencesError(
                f"The target {column!r} of {name!r} holds {targets[column].dtype}, not numbers: it is "
                f"{targets[column].iloc[row]!r:.60} at {row_place(targets, row)}. For labels use the task {for_labels!r}."
            )
    values = number_matrix(targets, list(targets.columns))
    if not np.isfinite(values).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise InvalidSequencesError(
            f"The target {targets.columns[column]!r} of {name!r} is infinite at "
            f"{targets.index.name or 'row'} {targets.index[row]}: clip it, or drop that {unit}."
        )
    return values
