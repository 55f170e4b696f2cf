"""Zero-copy conversion between Arrow list arrays, the layout of nested columns in Parquet files, and runs of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._runs import Runs

__all__ = ["arrow_from_runs", "is_list", "runs_from_arrow"]


def runs_from_arrow(array: Any, *, ids: Any = None) -> Runs:
    """Convert an Arrow array with one list per sequence; see :func:`seqpipe.sequences.sequences_from_arrow`.

    Raises
    ------
    InvalidSequencesError
        If the array does not hold lists of numbers, contains a null, or its steps have unequal numbers of features.
    """
    array = _one_array(array)
    if not is_list(array.type):
        raise InvalidSequencesError(f"An Arrow array must have one list per sequence. Got {array.type} instead.")
    if array.null_count:
        raise InvalidSequencesError(f"Sample {_first_null(array)} is null: drop it, or fill in its steps.")
    offsets, steps = _opened(array)
    width = 1
    if is_list(steps.type):
        _refuse_null(steps, offsets, 1)
        width = _common_width(steps, offsets)
        steps = steps.flatten()
    _refuse_null(steps, offsets, width)
    values = _numbers(steps, array.type).reshape(int(offsets[-1]), width)
    return Runs(values, offsets, ids)


def arrow_from_runs(values: NDArray[Any], offsets: NDArray[np.int64]) -> pa.LargeListArray:
    """Return one list per sequence, of numbers or, with several features, of fixed-size lists."""
    steps = pa.array(values.reshape(-1))
    if values.shape[1] != 1:
        steps = pa.FixedSizeListArray.from_arrays(steps, values.shape[1])
    return pa.LargeListArray.from_arrays(offsets, steps)


def _one_array(array: Any) -> pa.Array:
    try:
        if not isinstance(array, pa.Array | pa.ChunkedArray):
            array = pa.array(array, from_pandas=False)
        if isinstance(array, pa.Array):
            return array
        return array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidSequencesError(
            f"The column cannot be read as lists of numbers ({error}): give every sequence as a list of "
            "numbers, or a list of steps that are lists of numbers."
        ) from error


def is_list(kind: pa.DataType) -> bool:
    """Return whether an Arrow type is a list type."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _opened(array: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the offsets, from 0, and the items of a list array without nulls."""
    if pa.types.is_fixed_size_list(array.type):
        return np.arange(len(array) + 1) * array.type.list_size, array.flatten()
    offsets = array.offsets.to_numpy().astype(np.int64, copy=False)
    return offsets - offsets[0], array.flatten()


def _numbers(array: pa.Array, kind: pa.DataType) -> NDArray[Any]:
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    if not (pa.types.is_floating(array.type) or pa.types.is_integer(array.type) or pa.types.is_boolean(array.type)):
        raise InvalidSequencesError(
            f"The lists must hold numbers. Got {kind} instead: encode the values as numbers first."
        )
    return np.asarray(array.to_numpy(zero_copy_only=pa.types.is_floating(array.type)))


def _common_width(steps: pa.Array, offsets: NDArray[np.int64]) -> int:
    if pa.types.is_fixed_size_list(steps.type):
        return int(steps.type.list_size)
    widths = np.diff(steps.offsets.to_numpy())
    width = int(widths[0]) if len(widths) else 1
    wrong = np.flatnonzero(widths != width)
    if len(wrong):
        step = int(wrong[0])
        raise InvalidSequencesError(
            f"{_place(step, offsets)} has {widths[step]} features where the first step has {width}: all "
            "steps must have the same number."
        )
    return width


def _refuse_null(items: pa.Array, offsets: NDArray[np.int64], width: int) -> None:
    if items.null_count:
        step, feature = divmod(_first_null(items), width)
        column = f", feature {feature}" if width > 1 else ""
        raise InvalidSequencesError(
            f"{_place(step, offsets)}{column} is null ({items.null_count} such): fill the gaps, or drop these steps."
        )


def _first_null(array: pa.Array) -> int:
    return int(np.asarray(array.is_null()).argmax())


def _place(step: int, offsets: NDArray[np.int64]) -> str:
    sample = int(np.searchsorted(offsets, step, side="right")) - 1
    return f"Sample {sample}, step {step - offsets[sample]}"
