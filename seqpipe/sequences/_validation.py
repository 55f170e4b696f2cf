"""Validation of X: every accepted kind of input is converted to one container, invalid values are rejected."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences._arrays import as_numbers
from seqpipe.sequences._arrow import sequences_from_arrow
from seqpipe.sequences._cast import cast
from seqpipe.sequences._container import Sequences
from seqpipe.sequences._finite import check_finite
from seqpipe.sequences._foreign import familiar, familiar_item, last_names, listed
from seqpipe.sequences._numbers import check_real, column_numbers, is_arrow_list, object_numbers, plain_columns
from seqpipe.sequences._windows import Windows
from seqpipe.tables import check_names, is_list

__all__ = ["as_sequences", "is_table", "readable", "recorded"]


def readable(X: Any, name: str = "X") -> Any:
    """Convert X to a numpy array, a list, a pandas object, `Sequences` or `Windows`.

    Parameters
    ----------
    X : object
        Objects of these types are returned unchanged; those of other libraries, such as tensors, frames of polars and
        tables of pyarrow, are converted to one of them. A table keeps its column names; its columns become plain
        numbers.
    name : str, default="X"
        What errors call it.

    Raises
    ------
    InvalidSequencesError
        If X is not data, or an item in it is neither a number nor a sequence of numbers; the message names the
        position.
    """
    if isinstance(X, Sequences | Windows):
        return X
    X = listed(X)
    found = familiar(X, name)
    shape = getattr(found, "shape", None)
    no_data = isinstance(found, str | bytes | Mapping | Set | numbers.Number | Iterator) and shape is None
    if found is None or no_data or shape == ():
        raise InvalidSequencesError(
            f"{name} must be an array, a list of arrays, a pandas object, Sequences or Windows. "
            f"Got {X if X is None else type(X).__name__} instead."
        )
    if isinstance(found, list) and not isinstance(X, list):  # converted from a packed or nested tensor
        return Sequences.from_arrays(found)
    if hasattr(found, "iloc"):
        return _readable_frame(found, name)
    if isinstance(found, list | tuple):
        return _readable_list(found, name)
    if not isinstance(found, np.ndarray):
        return found
    names = last_names(X) if found.ndim == 3 else None
    found = _readable_array(found, name)
    return found if names is None else Sequences.from_padded(found, feature_names=names)


def recorded(data: Any) -> Any:
    """Convert data of another library to the form that is recorded; return other data unchanged.

    Numbers are returned as by `readable`, texts and times as objects.
    """
    found = familiar(data, "the data")
    if found is data or isinstance(found, np.ndarray):
        return found
    if isinstance(found, list):
        return Sequences.from_arrays(found)
    try:
        return readable(found)
    except InvalidSequencesError:
        return found.astype(object).where(found.notna(), None)


def _readable_frame(X: Any, name: str) -> Any:
    """Return a pandas object with numeric columns, or, if its one column holds sequences, those unchanged."""
    column = X if X.ndim == 1 else X.iloc[:, 0] if X.shape[1] == 1 else None
    if column is not None and is_arrow_list(column.dtype):
        return X
    if column is not None and column.dtype == object and any(_dimensions(item) for item in column):
        items = pd.Series(_checked_items(column.tolist(), name), index=column.index, name=column.name)
        return items if X.ndim == 1 else items.to_frame()
    if X.ndim == 2:
        check_names(name, [str(label) for label in X.columns])
        return plain_columns(X, name, row="sample")
    numbers_found = column_numbers(X, name, lambda i: f"{name}, sample {i}")
    return pd.Series(numbers_found, index=X.index, name=X.name)


def _readable_list(X: list[Any] | tuple[Any, ...], name: str) -> Any:
    items = _checked_items(X, name)
    if not items or not _dimensions(items[0]) or _is_ragged_list(items):
        return items
    return [as_numbers(item, f"{name}, sample {i}") for i, item in enumerate(items)]


def _checked_items(X: Any, name: str) -> list[Any]:
    """Return the items of a list, which are all numbers or all sequences."""
    if set(map(type, X)) <= _ITEMS:
        items = list(X)
    else:
        items = [familiar_item(item, f"{name}, sample {i}") for i, item in enumerate(X)]
    depths = [_dimensions(item) for item in items]
    wrong = next((i for i, depth in enumerate(depths) if not depth), None)
    if wrong is not None and (any(depths) or not isinstance(items[wrong], numbers.Real | np.generic | str)):
        item = items[wrong]
        raise InvalidSequencesError(
            f"{name}, sample {wrong} is {'None' if item is None else f'{item!r:.40} of type {type(item).__name__}'}, "
            "not a sequence of real numbers: give each sample an array of shape (n_timesteps, n_features), or drop it."
        )
    if isinstance(X, tuple) and len(set(depths)) > 1:
        raise InvalidSequencesError(
            f"{name} is a tuple of {len(items)} items that are not sequences of one kind: their numbers of dimensions "
            f"are {depths[:5]}. Give X and y as two arguments, and sequences as a list."
        )
    return items


#: Types that are accepted in a list without further inspection.
_ITEMS = {np.ndarray, list, float, int}


def _readable_array(X: NDArray[Any], name: str) -> Any:
    if X.dtype != object:
        check_real(X.dtype, name)
        return X
    if any(map(_dimensions, X if X.ndim == 1 else X.flat)):
        column = X.ndim == 2 and X.shape[1] == 1  # what scikit-learn's bagging makes of a data frame of one column
        return Sequences.from_arrays(_checked_items(list(X[:, 0] if column else X), name))
    if X.ndim < 2:
        return X

    def place(i: int) -> str:
        sample, *rest = np.unravel_index(i, X.shape)
        return f"{name}, sample {sample}" + "".join(f", {what} {j}" for what, j in zip(_AXES, rest))

    return object_numbers(X.reshape(-1), place).reshape(X.shape)


#: Names of the axes of an array after the first.
_AXES = ("step", *["feature"] * 30)


def is_table(X: Any) -> bool:
    """Return whether X is a table of shape (n_samples, n_timesteps), or anything else for scikit-learn to validate.

    The following are sequences: `Sequences`, `Windows`, anything three-dimensional, an object array or pandas Series
    of arrays, a DataFrame whose only column holds arrays, and a list of (T_i, n_features) arrays or of (T_i,)
    arrays of unequal length. A list of one-dimensional items of equal length is a table.
    """
    if isinstance(X, Sequences | Windows):
        return False
    if hasattr(X, "iloc"):
        return not _holds_arrays(X)
    if isinstance(X, list | tuple):
        return len(X) > 0 and not _is_ragged_list(X)
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype == object:
        return not (len(X) and _dimensions(X[0]))
    return getattr(X, "ndim", 2) < 3


def as_sequences(X: Any, *, dtype: DTypeLike | None = None) -> Sequences | Windows:
    """Validate sequences of any kind and return them as `Sequences` (or `Windows`), cast to ``dtype`` if given.

    Raises
    ------
    InvalidSequencesError
        If X is empty or not numeric, a sequence has no steps, or a value is NaN or infinite; the message names the
        position.
    """
    found = _contained(readable(X))
    if len(found) == 0:
        raise InvalidSequencesError("Found array with 0 sample(s) (X is empty) while a minimum of 1 is required.")
    if isinstance(found, Sequences):
        empty = np.flatnonzero(found.lengths == 0)
        if len(empty):
            raise InvalidSequencesError(
                f"X has no time steps in {found.describe(int(empty[0]))} ({len(empty)} such): "
                "every sequence needs at least one; drop the empty ones."
            )
    if found.n_features == 0:
        raise InvalidSequencesError("Found 0 feature(s) (X has no columns) while a minimum of 1 is required.")
    check_finite(found)
    return found if dtype is None else cast(found, dtype)


def _contained(X: Any) -> Sequences | Windows:
    if isinstance(X, Sequences | Windows):
        return X
    if hasattr(X, "iloc"):
        column = X.iloc[:, 0] if X.ndim == 2 else X
        ids = column.index.to_numpy()
        if isinstance(column.dtype, pd.ArrowDtype):
            return sequences_from_arrow(column, ids=ids)
        return Sequences.from_arrays(column.tolist(), ids=ids)
    if isinstance(X, list | tuple) or getattr(X, "dtype", None) == np.dtype(object):
        return Sequences.from_arrays(X)
    array = np.asarray(X)
    if array.dtype.kind not in "fiub":
        raise InvalidSequencesError(f"X must hold real numbers, got dtype {array.dtype}: encode it as numbers first.")
    if array.ndim > 2 and array.shape[1] == 0:
        raise InvalidSequencesError(f"X of shape {array.shape} has no time steps: every sequence needs at least one.")
    return Sequences.from_padded(array)


def _dimensions(item: Any) -> int:
    """Return the nesting depth of an item, following its first entries only."""
    if isinstance(item, pa.Array | pa.ChunkedArray):
        return 1 + is_list(item.type)
    if hasattr(item, "ndim"):
        inner = _dimensions(item[0]) if getattr(item, "dtype", None) == np.dtype(object) and len(item) else 0
        return int(item.ndim) + inner
    if isinstance(item, list | tuple):
        return 1 + (_dimensions(item[0]) if item else 0)
    return 0


def _is_ragged_list(X: list[Any] | tuple[Any, ...]) -> bool:
    if not X or any(_dimensions(item) == 0 for item in X):
        return False
    return _dimensions(X[0]) >= 2 or len({len(item) for item in X}) > 1


def _holds_arrays(X: Any) -> bool:
    column = X if X.ndim == 1 else X.iloc[:, 0] if X.shape[1] == 1 else None
    return column is not None and len(column) > 0 and _dimensions(column.iloc[0]) >= 1
