"""The MLflow flavor that serves logged models: checks and converts the input of a client.

MLflow requires the exact dtype of the training data, so that a model of floats would refuse ``[[1, 2], [3, 4]]``. The
signatures of seqpipe's models leave dtypes open, and this module checks the input: numbers of any type are accepted,
texts are not numbers, and missing values are passed to the estimator as NaN; its error states their place.
"""

from __future__ import annotations

import numbers
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError, TrackingError, did_you_mean
from seqpipe.saved import AnyOf, Flag, Items, Record, StateError, TextOf, Whole, optional
from seqpipe.tracking._folder import read_description
from seqpipe.tracking._load import load_model
from seqpipe.tracking._signature import COLUMN, FLAVOR, Form, plain_output, with_ids

__all__ = ["RefusedInputError", "ServedModel"]


class RefusedInputError(InvalidSequencesError, MlflowException):
    """Input that a served model does not accept; a server responds with status 400 and the message."""

    def __init__(self, message: str) -> None:
        MlflowException.__init__(self, message, error_code=INVALID_PARAMETER_VALUE)


class ServedModel:
    """The model object that MLflow calls.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator.
    form : {"sequences", "array", "table", "panel", "texts"}
        Form of its input: a column of lists of time steps, an array, a table with one row per sample or per time step
        of a series with an id, or a column of texts.
    columns : list of (name, bool)
        Names of the columns of a table, and whether each is numeric.
    """

    def __init__(self, estimator: Any, form: Form, columns: list[tuple[Any, bool]]) -> None:
        self.estimator = estimator
        self.form = form
        self.columns = columns

    def get_raw_model(self) -> Any:
        """Return the estimator."""
        return self.estimator

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return the estimator's predictions.

        Raises
        ------
        RefusedInputError
            If the estimator does not accept the data; the message states the place and the reason.
        """
        try:
            return self._predicted(self._read(data))
        except MlflowException:
            raise
        except ValueError as error:
            raise RefusedInputError(str(error)) from error

    def _predicted(self, read: Any) -> Any:
        predicted = self.estimator.predict(read)
        return plain_output(predicted.reindex(read.index) if self.form == "panel" else predicted)

    def _read(self, data: Any) -> Any:
        match self.form:
            case "sequences":
                return pd.DataFrame(
                    {COLUMN: [_sequence(cell, f"{COLUMN}[{i}]") for i, cell in enumerate(_cells(data))]}
                )
            case "array":
                return _array(data)
            case "table":
                return self._table(data)
            case "panel":
                return with_ids(self._table(data), self.columns, self.estimator)
        return data

    def _table(self, data: Any) -> pd.DataFrame:
        """Return the columns of the training table in their order; others are dropped."""
        names = [str(name) for name, _ in self.columns]
        frame = _as_frame(data, names)
        given = {str(name): frame.iloc[:, i] for i, name in enumerate(frame.columns)}
        missing = next((name for name in names if name not in given), None)
        if missing is not None:
            raise RefusedInputError(
                f"The table has no column {missing!r}, which the model was trained with.{did_you_mean(missing, given)} "
                f"Its columns are {', '.join(given)}."
            )
        columns = {name: _column(given[str(name)]) if numeric else given[str(name)] for name, numeric in self.columns}
        return pd.DataFrame(columns, index=frame.index)


def _load_pyfunc(path: str) -> ServedModel:
    """Load the model in a folder; MLflow calls this function by name."""
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    described = read_description(folder, str(folder))["flavors"].get(FLAVOR)
    try:
        _DESCRIBED.check(described, f"'{FLAVOR}'")
    except StateError as error:
        raise TrackingError(
            f"The model {str(folder)!r} cannot be served: in its file 'MLmodel', {error} Log it again with MLflowTracker."
        ) from error
    columns = [(name, numeric) for name, numeric in described["columns"]]
    return ServedModel(load_model(str(folder))[0], described["input"], columns)


_DESCRIBED = Record(
    {
        "input": TextOf(among=get_args(Form)),
        "columns": Items(Items(AnyOf((TextOf(), Whole(), Flag())), most=2, fewest=2), most=100_000),
    },
    {"code": optional(TextOf())},
)


def _as_frame(data: Any, names: list[str]) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        return data
    try:
        if isinstance(data, dict):
            return pd.DataFrame(data)
        rows = np.asarray(data)
        return pd.DataFrame(rows if rows.ndim == 2 else rows[None], columns=names)
    except ValueError as error:
        raise RefusedInputError(
            f"The input must be a table with the columns {', '.join(names)}. It cannot be converted: {error}."
        ) from error


def _cells(data: Any) -> list[Any]:
    if isinstance(data, pd.DataFrame):
        return data[COLUMN].tolist()
    return [*data]


def _sequence(cell: Any, place: str) -> NDArray[np.float64]:
    """Return one sequence of shape (n_timesteps, n_features); plain numbers are steps of one feature."""
    if not isinstance(cell, list | tuple | np.ndarray):
        raise RefusedInputError(f"{place} must be a list of time steps, each a list of numbers. Got {cell!r} instead.")
    found = _numbers(cell, place)
    try:
        steps = np.array(found, dtype=np.float64)
    except ValueError as error:
        raise RefusedInputError(f"{place}: all time steps must be lists of equally many numbers.") from error
    return steps.reshape(len(steps), -1) if steps.size else np.empty((0, 1))


def _array(data: Any) -> Any:
    """Return an array of numbers, or a list of sequences of unequal length; a Series keeps its index."""
    if isinstance(data, pd.Series):
        return _column(data)
    if isinstance(data, pd.DataFrame):
        data = data.iloc[:, 0].tolist() if data.shape[1] == 1 else data.to_numpy()
    if isinstance(data, dict):
        raise RefusedInputError(f"The input must be an array, without names. Got the fields {', '.join(data)} instead.")
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
    if isinstance(value, list | tuple | np.ndarray):
        return [_numbers(each, f"{place}[{i}]") for i, each in enumerate(value)]
    return _number(value, place)


def _number(value: Any, place: str) -> float:
    if value is None or value is pd.NA:
        return np.nan
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise RefusedInputError(f"{place} must be a number. Got {value!r} instead.")
    try:
        return float(value)
    except OverflowError as error:
        raise RefusedInputError(f"{place} is too large for a 64-bit number.") from error


def _column(cells: pd.Series) -> pd.Series:
    """Return a column of numbers of any type, with NaN for missing values."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return cells if isinstance(cells.dtype, np.dtype) else cells.astype("float64")
    found = [_number(cell, f"{cells.name}[{row}]") for row, cell in enumerate(cells)]
    return pd.Series(found, index=cells.index, dtype="float64")
