"""Validation of the arrays in the containers: values, offsets and lengths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import as_strided
from numpy.typing import DTypeLike, NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences._foreign import familiar_item
from seqpipe.sequences._numbers import (
    check_real,
    column_numbers,
    is_arrow_list,
    object_numbers,
    plain_columns,
    warn_of_large_integers,
)

__all__ = ["as_elements", "as_matrix", "as_numbers", "checked_lengths", "offsets_of", "take_runs"]


def as_matrix(values: Any, name: str, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return ``values`` as a float matrix of shape (n_timesteps, n_features), without a copy if it already is one."""
    array = as_numbers(values, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise InvalidSequencesError(f"{name} must have shape (n_timesteps, n_features), got {array.shape}.")
    return _as_floats(array, dtype)


def as_elements(values: Any, name: str, dtype: DTypeLike | None = None) -> tuple[NDArray[Any], tuple[int, ...] | None]:
    """Return ``values`` as `as_matrix` does, tensors flattened, and the shape of a step's tensor, else None."""
    array = as_numbers(values, name)
    if array.ndim < 3:
        return as_matrix(array, name, dtype), None
    shape = array.shape[1:]
    return _as_floats(array.reshape(len(array), math.prod(shape)), dtype), shape


def as_numbers(values: Any, name: str) -> NDArray[Any]:
    """Return the steps of one sequence as numbers of any real type, shape (n_timesteps, …)."""
    values = familiar_item(values, name)
    if isinstance(values, pd.DataFrame):
        return plain_columns(values, name, row="step").to_numpy()
    if isinstance(values, pd.Series):
        holds_steps = any(map(_is_array, values)) if values.dtype == object else is_arrow_list(values.dtype)
        if not holds_steps:
            return column_numbers(values, name, lambda i: f"{name}, step {i}")
        values = values.tolist()
    array = _as_array(values, name)
    check_real(array.dtype, name)
    return array if array.dtype != object else _of_objects(array, name)


def _as_array(values: Any, name: str) -> NDArray[Any]:
    if isinstance(values, list | tuple):
        values = _plain_steps(values, name)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise _unequal(name, error) from error
    if not array.ndim:
        raise InvalidSequencesError(
            f"{name} must have shape (n_timesteps, n_features), got {values!r:.40} of type {type(values).__name__}."
        )
    return array


def _plain_steps(values: list[Any] | tuple[Any, ...], name: str) -> list[Any] | tuple[Any, ...]:
    """Return steps, or the entries of a step, with those of other libraries converted."""
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        values = [familiar_item(step, f"{name}, step {t}") for t, step in enumerate(values)]
    if kinds.isdisjoint((list, tuple)):
        return values
    inner = (f"{name}, step {t}" for t in range(len(values)))
    return [_plain_steps(step, place) if type(step) in (list, tuple) else step for step, place in zip(values, inner)]


#: Types that are accepted in a list without further inspection.
_PLAIN = {float, int, bool, np.float64, np.float32, np.int64, np.ndarray, list, tuple, type(None)}


def _of_objects(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return Python objects as numbers: each is a number, or a step that is an array."""
    if array.ndim == 1 and any(map(_is_array, array)):
        steps = [as_numbers(step, f"{name}, step {t}") for t, step in enumerate(array)]
        try:
            return np.array(steps)
        except ValueError as error:
            raise _unequal(name, error) from error

    def place(i: int) -> str:
        step, *rest = np.unravel_index(i, array.shape)
        return f"{name}, step {step}" + "".join(f", feature {j}" for j in rest)

    return object_numbers(array.reshape(-1), place).reshape(array.shape)


def _is_array(step: Any) -> bool:
    return isinstance(step, list | tuple) or getattr(step, "ndim", 0) > 0


def _unequal(name: str, error: Exception) -> InvalidSequencesError:
    return InvalidSequencesError(
        f"{name} is not numeric, or its steps have unequal numbers of features ({error}): "
        "give an array of shape (n_timesteps, n_features)."
    )


def _as_floats(array: NDArray[Any], dtype: DTypeLike | None) -> NDArray[Any]:
    warn_of_large_integers(array)
    if dtype is None:
        dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.float64
    with np.errstate(over="ignore"):  # of long doubles; infinity is refused later
        return array.astype(dtype, copy=False)


def offsets_of(offsets: Any, *, n_rows: int) -> NDArray[np.int64]:
    """Return ``offsets`` checked against ``n_rows`` time steps."""
    offsets = np.asarray(offsets)
    if offsets.ndim != 1 or len(offsets) == 0 or offsets.dtype.kind not in "iu":
        raise InvalidSequencesError(
            f"offsets must be n_samples + 1 integers, got shape {offsets.shape} and dtype {offsets.dtype}."
        )
    if offsets[0] != 0 or offsets[-1] != n_rows:
        raise InvalidSequencesError(
            f"offsets must start at 0 and end at the number of steps, {n_rows}, got {offsets[0]} to {offsets[-1]}."
        )
    falls = np.flatnonzero(offsets[1:] < offsets[:-1])
    if len(falls):
        i = int(falls[0])
        raise InvalidSequencesError(
            f"offsets must not decrease: sample {i} would range from {offsets[i]} to {offsets[i + 1]}."
        )
    return np.asarray(offsets, dtype=np.int64)


def checked_lengths(lengths: Any, n_samples: int, n_timesteps: int) -> NDArray[np.int64]:
    """Return ``lengths`` if they are ``n_samples`` integers from 0 to ``n_timesteps``."""
    lengths = np.asarray(lengths)
    if lengths.shape != (n_samples,):
        raise InvalidSequencesError(f"{n_samples} samples need lengths of shape ({n_samples},), got {lengths.shape}.")
    if lengths.dtype.kind not in "iu":
        raise InvalidSequencesError(
            f"lengths count time steps and must be integers, got dtype {lengths.dtype}: cast them with astype(int)."
        )
    wrong = np.flatnonzero((lengths < 0) | (lengths > n_timesteps))
    if len(wrong):
        i = int(wrong[0])
        raise InvalidSequencesError(f"The length of sample {i} must be from 0 to {n_timesteps}, got {lengths[i]}.")
    return np.asarray(lengths, dtype=np.int64)


def take_runs(matrix: NDArray[Any], starts: NDArray[np.int64], length: int) -> NDArray[Any]:
    """Return copies of runs of rows, shape (n_starts, length, n_columns), each copied as one block, not row by row."""
    n_rows, n_columns = matrix.shape
    shape = (max(n_rows - length + 1, 0), length, n_columns)
    strides = (matrix.strides[0], *matrix.strides)
    if not matrix.flags.c_contiguous:
        return np.asarray(as_strided(matrix, shape, strides, writeable=False)[starts])
    runs: NDArray[Any] = np.ndarray(
        shape, matrix.dtype, matrix, 0, strides
    )  # equivalent to as_strided, in a tenth of its time
    return runs[starts]
