"""Columns of any type read as numbers: NumPy, nullable pandas, Arrow, decimals, categories, objects and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = [
    "MISSING_WORDS",
    "WIDE_MARKS",
    "NumberColumn",
    "formatted",
    "holds_text",
    "number_matrix",
    "read_numbers",
    "texts_of_column",
]

#: Common markers of missing numbers. In a column of text they are ordinary words, such as a label "None".
MISSING_WORDS = ("#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")

_TRUE, _FALSE = ("True", "true", "TRUE"), ("False", "false", "FALSE")
_WHOLE = r"^[+-]?[0-9]{1,18}$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(inf|Inf|INF|infinity|Infinity)$"
#: Spaces that do not break, and the typographic apostrophe, as spreadsheets write them between thousands.
WIDE_MARKS = "\u00a0\u2007\u2009\u202f\u2019"
#: Numbers formatted for display: thousands separators, a percent sign or a currency.
_FORMATTED = (
    rf"^[+-]?[$€£]?[\s{WIDE_MARKS}]?[0-9]{{1,3}}([,.' {WIDE_MARKS}]?[0-9]{{3}})*([.,][0-9]+)?[\s{WIDE_MARKS}]?[%€$£]?$"
)


@dataclass(frozen=True)
class NumberColumn:
    """A column read as numbers.

    Attributes
    ----------
    values : array of shape (n_rows,)
        int64 if every cell is an integer, else float32 or float64 with NaN for cells that are missing or not numbers.
    unread : array of bool, shape (n_rows,)
        Cells that hold something other than a number.
    """

    values: NDArray[Any]
    unread: NDArray[np.bool_]

    @property
    def n_read(self) -> int:
        """Number of cells that hold a number."""
        return len(self.values) - int(np.isnan(self.values).sum())

    @property
    def n_unread(self) -> int:
        """Number of cells that hold something else."""
        return int(self.unread.sum())


def read_numbers(column: pd.Series[Any], *, decimal: str = ".", text: bool = True) -> NumberColumn:
    """Read a column as numbers; True and False are 1 and 0.

    Parameters
    ----------
    column : Series of length n_rows
        The column, of any type.
    decimal : {".", ","}, default="."
        The decimal mark in text.
    text : bool, default=True
        Whether to parse text as numbers, and words such as "NA" as missing; otherwise text counts as unread.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        inner = read_numbers(pd.Series(dtype.categories), decimal=decimal, text=text)
        codes = column.cat.codes.to_numpy()
        return NumberColumn(
            np.append(inner.values.astype(np.float64), np.nan)[codes], np.append(inner.unread, False)[codes]
        )
    if isinstance(dtype, pd.ArrowDtype):
        return _read_arrow(pa.chunked_array(pa.array(column)), decimal, text=text)
    if isinstance(dtype, pd.StringDtype):
        return _read_text(_arrow_text(column), decimal) if text else _nothing(column)
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return NumberColumn(_plain_numbers(column), np.zeros(len(column), dtype=bool))
    return _read_objects(column, decimal, text=text) if pd.api.types.is_object_dtype(dtype) else _nothing(column)


def number_matrix(frame: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """Return columns as numbers, shape (n_rows, n_columns); NaN for cells that are missing or hold something else."""
    values = np.empty((len(frame), len(columns)))
    for j, column in enumerate(columns):
        values[:, j] = read_numbers(frame[column]).values
    return values


def holds_text(column: pd.Series[Any]) -> bool:
    """Return whether a column is text: strings of pandas or Arrow, or objects or categories that are all strings."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return holds_text(pd.Series(dtype.categories))
    if isinstance(dtype, pd.ArrowDtype):
        return _is_text(dtype.pyarrow_dtype)
    return isinstance(dtype, pd.StringDtype) or (
        pd.api.types.is_object_dtype(dtype) and pd.api.types.infer_dtype(column) == "string"
    )


def texts_of_column(column: pd.Series[Any]) -> pa.Array:
    """Return a column that `holds_text` as Arrow strings, stripped, with null for markers of missing numbers."""
    return _stripped(_arrow_text(column))


def formatted(texts: pa.Array) -> NDArray[np.bool_]:
    """Return which texts are numbers formatted for display, such as "1,234.5", "12 %" and "$3"."""
    return _mask(pc.match_substring_regex(texts, _FORMATTED))


def _plain_numbers(column: pd.Series[Any]) -> NDArray[Any]:
    if column.dtype in (np.float32, np.float64):
        return column.to_numpy()
    if pd.api.types.is_integer_dtype(column.dtype) and not column.hasnans and column.max() <= np.iinfo(np.int64).max:
        return column.to_numpy(dtype=np.int64)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _nothing(column: pd.Series[Any]) -> NumberColumn:
    return NumberColumn(np.full(len(column), np.nan), column.notna().to_numpy(dtype=bool))


def _read_arrow(array: pa.ChunkedArray, decimal: str, *, text: bool) -> NumberColumn:
    kind = array.type
    if pa.types.is_dictionary(kind):
        array, kind = array.cast(kind.value_type), kind.value_type
    if _is_text(kind) and text:
        return _read_text(array.combine_chunks(), decimal)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if pa.types.is_integer(kind) and not array.null_count and kind != pa.uint64():
        values = array.cast(pa.int64()).to_numpy()
    elif number or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        floats = array.cast(pa.int8()) if pa.types.is_boolean(kind) else array
        values = floats.cast(pa.float64(), safe=False).to_numpy()  # integers beyond 2**53 are rounded
    else:
        values = np.full(len(array), np.nan)
        return NumberColumn(values, _mask(array.is_valid().combine_chunks()))
    return NumberColumn(values, np.zeros(len(array), dtype=bool))


def _read_text(array: pa.Array, decimal: str) -> NumberColumn:
    plain = _plain_decimals(array) if decimal == "." else None
    if plain is not None:
        return NumberColumn(plain, np.zeros(len(array), dtype=bool))
    cells = _stripped(array)
    if not cells.null_count and pc.all(pc.match_substring_regex(cells, _WHOLE)).as_py():
        return NumberColumn(_whole_numbers(cells), np.zeros(len(cells), dtype=bool))
    if decimal == ",":
        cells = pc.if_else(pc.match_substring(cells, "."), "1.234,5", cells)  # here a point is not a decimal mark
        cells = pc.replace_substring(cells, ",", ".")
    read = pc.match_substring_regex(cells, _NUMBER)
    if pc.any(read).as_py():
        values = pc.if_else(read, cells, pa.scalar(None, cells.type)).cast(pa.float64())
    else:
        values = _truth(cells)
    unread = _mask(pc.and_(pc.is_valid(cells), pc.is_null(values)))
    return NumberColumn(values.to_numpy(zero_copy_only=False), unread)


def _plain_decimals(array: pa.Array) -> NDArray[np.float64] | None:
    """Parse cells with decimal points in one pass, the common case; None if any cell is something else."""
    if array.null_count or not len(array) or "." not in array[0].as_py():
        return None
    try:
        values = array.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return None if np.isnan(values).any() else values


def _truth(cells: pa.Array) -> pa.Array:
    falsehood = pc.if_else(pc.is_in(cells, pa.array(_FALSE, type=cells.type)), 0.0, pa.scalar(None, pa.float64()))
    return pc.if_else(pc.is_in(cells, pa.array(_TRUE, type=cells.type)), 1.0, falsehood)


def _whole_numbers(cells: pa.Array) -> NDArray[np.int64]:
    digits = pc.replace_substring_regex(cells, r"^\+", "")
    return np.asarray(digits.cast(pa.int64()).to_numpy(zero_copy_only=False))


def _read_objects(column: pd.Series[Any], decimal: str, *, text: bool) -> NumberColumn:
    values = np.full(len(column), np.nan)
    known = column.notna().to_numpy(dtype=bool)
    cells = column.to_numpy()
    strings = np.array([isinstance(cell, str) for cell in cells], dtype=bool)
    if text and strings.any() and (strings | ~known).all():  # text in pandas before version 3
        return _read_text(_arrow_text(column), decimal)
    for row in np.flatnonzero(known & ~strings):
        if isinstance(cells[row], Real | Decimal | np.bool_):
            values[row] = float(cells[row])
    unread = known & np.isnan(values)
    if text and strings.any():
        found = _read_text(pa.array(cells[strings].tolist(), type=pa.large_string()), decimal)
        values[strings], unread[strings] = found.values, found.unread
    return NumberColumn(values, unread)


def _arrow_text(column: pd.Series[Any]) -> pa.Array:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    array = pa.array(column, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _stripped(array: pa.Array) -> pa.Array:
    cells = pc.utf8_trim_whitespace(array)
    nothing = pc.is_in(cells, pa.array(["", *MISSING_WORDS], type=cells.type))
    return pc.if_else(nothing, pa.scalar(None, cells.type), cells)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _mask(flags: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(flags, False).to_numpy(zero_copy_only=False), dtype=bool)
