"""Conversion of columns and arrays of any type to numbers; anything else is rejected with its position."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from seqpipe.exceptions import DataWarning, InvalidSequencesError
from seqpipe.tables import is_list

__all__ = ["check_real", "column_numbers", "is_arrow_list", "object_numbers", "plain_columns", "warn_of_large_integers"]

#: Describes the position of an item, counted from 0.
Place = Callable[[int], str]


def check_real(dtype: Any, name: str) -> None:
    """Raise `InvalidSequencesError` if a numpy dtype is not of real numbers; objects are left to `object_numbers`."""
    if dtype.kind in "mM":
        raise InvalidSequencesError(
            f"{name} holds times, not real numbers, got dtype {dtype}: leave it out, or give the elapsed time as a "
            "number, such as (t - t[0]) / np.timedelta64(1, 's')."
        )
    if dtype.kind == "c":
        raise InvalidSequencesError(
            f"{name} must hold real numbers, got dtype {dtype}. Complex data not supported: give the real and the imaginary "
            "part as two features."
        )
    if dtype.kind not in "fiubO":
        raise InvalidSequencesError(f"{name} must hold real numbers, got dtype {dtype}: encode it as numbers first.")


def warn_of_large_integers(array: NDArray[Any]) -> None:
    """Warn of integers that float64 rounds by more than an eighth of their changes from row to row."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 8 or not array.size:
        return
    if array.max() <= _LARGEST_INTEGER and array.min() >= -_LARGEST_INTEGER:
        return
    some = array[:_SOME_ROWS]
    changes: NDArray[Any] = np.diff(some.astype(np.int64), axis=0)  # also of unsigned ones, modulo 2**64
    found: NDArray[Any] = np.diff(some.astype(np.float64), axis=0)
    wrong = np.abs(found - changes) > np.abs(changes) / 8
    if wrong.sum() * 2 > np.count_nonzero(changes):
        warnings.warn(
            "Integers above 2**53 lose their changes from row to row when they become float64. Subtract a "
            "start from them while they are integers; identifiers are no numbers, leave them out.",
            DataWarning,
            stacklevel=2,
        )


#: Integers up to this one are exact in float64.
_LARGEST_INTEGER = 2**53

#: Number of rows whose changes are compared.
_SOME_ROWS = 2**16


def object_numbers(values: NDArray[Any], place: Place) -> NDArray[np.float64]:
    """Return Python objects, shape (n,), as float64: NaN for None, NaN and NA.

    Raises
    ------
    InvalidSequencesError
        If an item is neither a real number nor missing; the message names the first one.
    """
    if set(map(type, values)) <= _QUICK:
        return values.astype(np.float64)
    missing = np.asarray(pd.isna(values), dtype=bool)
    numbers = np.full(len(values), np.nan)
    for i in np.flatnonzero(~missing):
        try:
            numbers[i] = _number(values[i])
        except OverflowError as error:
            raise InvalidSequencesError(f"{place(int(i))} is a number too large for float64: rescale it.") from error
        except (TypeError, ValueError) as error:
            raise _NoNumberError(
                f"{place(int(i))} must hold real numbers, got {values[i]!r:.60} ({error}): encode it as a number first."
            ) from error
    return numbers


#: Types that numpy casts unambiguously.
_QUICK = {float, bool, np.float64, np.float32, np.int64, np.int32, np.bool_, type(None)}


class _NoNumberError(InvalidSequencesError, TypeError):
    """An object in place of a number: a TypeError as in numpy, and an InvalidSequencesError."""


def _number(value: Any) -> float:
    """Return a number of any type; text is not a number, even if it could be parsed as one."""
    if isinstance(value, str | bytes | complex | np.complexfloating | np.flexible | np.timedelta64) or np.ndim(value):
        raise TypeError(f"a {type(value).__name__} is not a real number")
    return np.nan if value is np.ma.masked else float(value)


def column_numbers(column: pd.Series[Any], name: str, place: Place) -> NDArray[Any]:
    """Return a column of real numbers of any type, nullable, Arrow or Decimal, as numbers, with NaN for missing ones.

    Parameters
    ----------
    column : Series of shape (n,)
        The column, with any index.
    name : str
        Name of the column in error messages.
    place : callable
        Describes the position of an item in error messages.

    Raises
    ------
    InvalidSequencesError
        If it holds texts, categories, times or anything else.
    """
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        check_real(dtype, name)
        values = column.to_numpy()
        return object_numbers(values, place) if dtype.kind == "O" else values
    if _is_real(dtype):
        if dtype.kind in "iu" and not column.isna().any():
            return column.to_numpy(dtype=np.uint64 if dtype.kind == "u" else np.int64)
        single = dtype in (pd.Float32Dtype(), pd.ArrowDtype(pa.float32()))
        return column.to_numpy(dtype=np.float32 if single else np.float64, na_value=np.nan)
    if isinstance(dtype, pd.SparseDtype):
        return column_numbers(column.astype(dtype.subtype), name, place)
    what = _kind_of(dtype)
    raise InvalidSequencesError(
        f"{name} holds {what}, not real numbers, got dtype {dtype}: encode it as numbers first, or leave it out."
    )


def _is_real(dtype: Any) -> bool:
    if isinstance(dtype, pd.CategoricalDtype):
        return False
    return bool(
        (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype))
        and not pd.api.types.is_complex_dtype(dtype)
    )


def _kind_of(dtype: Any) -> str:
    if isinstance(dtype, pd.CategoricalDtype):
        return "categories"
    if pd.api.types.is_string_dtype(dtype):
        return "texts"
    if isinstance(dtype, pd.ArrowDtype):
        kind = dtype.pyarrow_dtype
        if pa.types.is_temporal(kind):
            return "times"
        return "categories" if pa.types.is_dictionary(kind) else "other objects"
    times = isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype)
    return "times" if times else "other objects"


def is_arrow_list(dtype: Any) -> bool:
    """Return whether a column has an Arrow list type."""
    kind = dtype.pyarrow_dtype if isinstance(dtype, pd.ArrowDtype) else pa.null()
    return is_list(kind)


def plain_columns(frame: pd.DataFrame, name: str, *, row: str) -> pd.DataFrame:
    """Return a table with the same names whose columns all have numeric numpy types; unchanged if they do already.

    ``name`` is the name of the table in error messages, and ``row`` that of a row.

    Raises
    ------
    InvalidSequencesError
        As in `column_numbers`; the message names row and column.
    """
    dtypes = [frame.dtypes.iloc[j] for j in range(frame.shape[1])]
    if all(isinstance(dtype, np.dtype) and dtype.kind in "fiub" for dtype in dtypes):
        return frame
    columns = {}
    for j, label in enumerate(frame.columns):
        what = f"{name}, column {label!r}"

        def place(i: int, label: Any = label) -> str:
            return f"{name}, {row} {i}, column {label!r}"

        columns[j] = column_numbers(frame.iloc[:, j], what, place)
    plain = pd.DataFrame(columns, index=frame.index)
    plain.columns = frame.columns
    return plain
