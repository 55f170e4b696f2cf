"""Conversion of targets of any type to numpy arrays that preserve missing values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows, familiar, familiar_item, listed

__all__ = ["missing_values", "plain_array", "series_values"]


def plain_array(y: Any, name: str) -> NDArray[Any]:
    """Return targets or weights as an array of numbers, or of objects in which None, NaN and NA are unchanged.

    Parameters
    ----------
    y : array, list, pandas object, or any other type that `familiar` accepts
        Targets of any shape; a list of strings and numbers is converted to objects, not to strings.
    name : str
        Name of the argument, for error messages.

    Raises
    ------
    InvalidSequencesError
        If y cannot be converted, or its items have unequal shapes.
    """
    given = listed(y)
    y = familiar(given, name)
    if isinstance(given, Sequences | Windows) or (isinstance(y, list) and not isinstance(given, list)):
        raise InvalidSequencesError(
            f"{name} must have one entry per sample. Got sequences instead: for one entry per time step, use "
            "StepClassifier or StepRegressor."
        )
    if isinstance(y, pd.DataFrame):
        return _columns(y, name)
    if isinstance(y, pd.Series):
        return series_values(y)
    return _listed(y, name) if isinstance(y, list | tuple) else np.asarray(y)


def _columns(frame: pd.DataFrame, name: str) -> NDArray[Any]:
    columns = [series_values(frame.iloc[:, j]) for j in range(frame.shape[1])]
    try:
        return np.column_stack(columns) if columns else frame.to_numpy()
    except TypeError as error:
        dtypes = ", ".join(f"{label!r}: {dtype}" for label, dtype in frame.dtypes.items())
        raise InvalidSequencesError(
            f"{name} has columns of types that cannot be combined, {dtypes}. Give columns of one type."
        ) from error


def series_values(column: pd.Series[Any]) -> NDArray[Any]:
    """Return a column of any dtype as a numpy array of the same values; as objects if values are missing."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return column.to_numpy()
    if isinstance(dtype, pd.CategoricalDtype):
        if column.isna().any():
            return column.astype(object).to_numpy()
        return series_values(pd.Series(dtype.categories.take(column.cat.codes.to_numpy())))
    if isinstance(dtype, pd.ArrowDtype) and isinstance(dtype.pyarrow_dtype, pa.DictionaryType):
        # pyarrow before version 22 cannot convert dictionaries with unsigned indices, as polars makes them.
        return series_values(column.astype(pd.ArrowDtype(dtype.pyarrow_dtype.value_type)))
    real = pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
    whole = {"b": np.bool_, "i": np.int64, "u": np.uint64}
    kind: Any = whole.get(dtype.kind, np.float64) if real and column.notna().all() else object
    values: NDArray[Any] = column.array.to_numpy(dtype=kind, na_value=None)
    return values


def _listed(items: list[Any] | tuple[Any, ...], name: str) -> NDArray[Any]:
    kinds = set(map(type, items))
    if not kinds <= _PLAIN:
        items = [familiar_item(item, f"{name}, sample {i}") for i, item in enumerate(items)]
    texts = {kind for kind in kinds if issubclass(kind, str)}
    try:
        if texts and texts < kinds:  # numpy would convert all to strings, and NaN to "nan"
            mixed = np.empty(len(items), dtype=object)
            mixed[:] = items
            return mixed
        return np.asarray(items)
    except ValueError as error:
        raise InvalidSequencesError(
            f"{name} must have the same number of entries in each sample: {error}. For one target per time step, use "
            "StepClassifier or StepRegressor."
        ) from error


#: Types of list items that need no conversion.
_PLAIN = {float, int, bool, str, np.float64, np.float32, np.int64, np.str_, type(None), type(pd.NA), list, tuple}


def missing_values(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a mask of None, NaN, NaT and NA in an array of any dtype, of the same shape."""
    if values.dtype.kind in "iubUS":
        return np.zeros(values.shape, dtype=bool)
    return np.asarray(pd.isna(values), dtype=bool)
