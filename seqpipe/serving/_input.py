"""What a client sends, converted to the input of an estimator and checked: numbers of any type, but no texts for numbers."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.serving._form import COLUMN, Form, with_ids

__all__ = ["read_input"]

#: Characters of a value that an error shows, and columns that it names.
_SHOWN, _NAMED = 100, 20


def read_input(data: Any, form: Form, columns: Sequence[tuple[Any, bool]], estimator: Any) -> Any:
    """Return the input of an estimator.

    Parameters
    ----------
    data : DataFrame, array, list or dict
        What a client sent.
    form : {"sequences", "array", "table", "panel", "texts"}
        The form that the estimator takes.
    columns : sequence of (name, bool)
        Names of the columns of a table, and whether each is numeric.
    estimator : estimator
        Fitted estimator.

    Raises
    ------
    InvalidSequencesError
        If the data is not of this form; the message names the position.
    """
    match form:
        case "sequences":
            return pd.DataFrame({COLUMN: [_sequence(cell, f"{COLUMN}[{i}]") for i, cell in enumerate(_cells(data))]})
        case "array":
            return _array(data)
        case "table":
            return _table(data, columns)
        case "panel":
            return with_ids(_with_checked_ids(_table(data, columns), columns), columns, estimator)
    return data


def _table(data: Any, columns: Sequence[tuple[Any, bool]]) -> pd.DataFrame:
    """Return the columns of the training table in their order; others are dropped."""
    names = [str(name) for name, _ in columns]
    frame = _as_frame(data, names)
    given = {str(name): frame.iloc[:, i] for i, name in enumerate(frame.columns)}
    missing = next((name for name in names if name not in given), None)
    if missing is not None:
        raise InvalidSequencesError(
            f"The table has no column {missing!r}, which the model was trained with.{did_you_mean(missing, given)} "
            f"Its columns are {_listed(given)}."
        )
    found = {name: _column(given[str(name)]) if numeric else given[str(name)] for name, numeric in columns}
    return pd.DataFrame(found, index=frame.index)


def _as_frame(data: Any, names: list[str]) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        return data
    try:
        if isinstance(data, dict):
            return pd.DataFrame(data)
        rows = data if isinstance(data, np.ndarray) else np.asarray(data, dtype=object)
        return pd.DataFrame(rows if rows.ndim == 2 else rows[None], columns=names)
    except ValueError as error:
        raise InvalidSequencesError(
            f"The input must be a table with the columns {_listed(names)}. It cannot be converted: {error}."
        ) from error


def _with_checked_ids(table: pd.DataFrame, columns: Sequence[tuple[Any, bool]]) -> pd.DataFrame:
    for name in (name for name, numeric in columns if not numeric):
        for row, cell in enumerate(table[name]):
            if isinstance(cell, list | dict | np.ndarray) or pd.isna(cell):
                raise InvalidSequencesError(f"{name}[{row}] must be the id of a series. Got {_shown(cell)} instead.")
    return table


def _cells(data: Any) -> list[Any]:
    """Return the sequences or texts in a table with this column, or in a list."""
    if isinstance(data, pd.DataFrame):
        if COLUMN not in data:
            raise InvalidSequencesError(
                f"The table has no column {COLUMN!r}.{did_you_mean(COLUMN, data)} Its columns are {_listed(data)}."
            )
        cells: list[Any] = data[COLUMN].tolist()
        return cells
    return [*data]


def _sequence(cell: Any, place: str) -> NDArray[np.float64]:
    """Return one sequence of shape (n_timesteps, n_features); plain numbers are steps of one feature."""
    if not isinstance(cell, list | tuple | np.ndarray):
        raise InvalidSequencesError(
            f"{place} must be a list of time steps, each a list of numbers. Got {_shown(cell)} instead."
        )
    found = _numbers(cell, place)
    try:
        steps = np.array(found, dtype=np.float64)
    except ValueError as error:
        raise InvalidSequencesError(f"{place}: all time steps must be lists of equally many numbers.") from error
    return steps.reshape(len(steps), -1) if steps.size else np.empty((0, 1))


def _array(data: Any) -> Any:
    """Return an array of numbers, or a list of sequences of unequal length; a Series keeps its index."""
    if isinstance(data, pd.Series):
        return _column(data)
    if isinstance(data, pd.DataFrame):
        data = data.iloc[:, 0].tolist() if data.shape[1] == 1 else data.to_numpy()
    if isinstance(data, dict):
        raise InvalidSequencesError(
            f"The input must be an array, without names. Got the fields {_listed(data)} instead."
        )
    if not isinstance(data, list | tuple | np.ndarray):
        return data
    found = _numbers(data, "input")
    try:
        return np.array(found)
    except ValueError:
        return [_sequence(each, f"input[{i}]") for i, each in enumerate(found)]


def _numbers(value: Any, place: str) -> Any:
    """Return an array of numbers unchanged, and lists of numbers as lists of floats."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        return value
    if isinstance(value, list) and set(map(type, value)) == {float}:  # as most lists are: many times faster
        return value
    if isinstance(value, list | tuple | np.ndarray):
        return [_numbers(each, f"{place}[{i}]") for i, each in enumerate(value)]
    return _number(value, place)


def _number(value: Any, place: str) -> float:
    if type(value) is float:
        return value
    if value is None or value is pd.NA:
        return np.nan
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise InvalidSequencesError(f"{place} must be a number. Got {_shown(value)} instead.")
    try:
        return float(value)
    except OverflowError as error:
        raise InvalidSequencesError(f"{place} is too large for a 64-bit number.") from error


def _column(cells: pd.Series) -> pd.Series:
    """Return a column of numbers of any type, with NaN for missing values."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return cells if isinstance(cells.dtype, np.dtype) else cells.astype("float64")
    found = [_number(cell, f"{cells.name}[{row}]") for row, cell in enumerate(cells)]
    return pd.Series(found, index=cells.index, dtype="float64")


def _shown(value: Any) -> str:
    """Return a value as errors show it; long ones are cut."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _listed(names: Any) -> str:
    shown = [str(name)[:_SHOWN] for name in names]
    return ", ".join(shown[:_NAMED]) + (f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else "")
