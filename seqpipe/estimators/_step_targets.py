"""Targets per time step: conversion of y to one array, validation against X, and conversion back to the form of y."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from seqpipe.estimators._input import check_weight
from seqpipe.estimators._label_kinds import plain_labels
from seqpipe.estimators._plain import missing_values, plain_array
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows, check_real, familiar, is_table, object_numbers
from seqpipe.tables import check_steps_order

__all__ = [
    "STEP_KINDS",
    "StepData",
    "StepTargets",
    "check_all_known",
    "check_step_labels",
    "check_step_numbers",
    "read_step_targets",
    "read_step_weight",
    "step_lengths",
    "step_rows",
    "step_shaped",
    "target_place",
]

#: Containers of targets per time step.
STEP_KINDS = ("array", "list", "sequences")


class StepTargets(NamedTuple):
    """Targets of all steps, concatenated over sequences, and the form of y.

    Attributes
    ----------
    rows : array of shape (total_steps, n_outputs)
        Targets of any dtype.
    kind : {"array", "list", "sequences"}
        Container of the sequences.
    ndim : {1, 2}
        Number of dimensions of the targets of one sequence.
    """

    rows: NDArray[Any]
    kind: str
    ndim: int


@dataclass(frozen=True)
class StepData:
    """Sequences with targets and weights per time step.

    Attributes
    ----------
    X : Sequences or Windows
        Validated input.
    values : array of shape (total_steps, …)
        Targets of all steps, with any value for unknown ones.
    known : array of bool, shape (total_steps,)
        Mask of steps with a target and a weight above 0.
    weight : array of float64, shape (total_steps,)
        Weight of each step.
    kind, ndim
        As in `StepTargets`.
    """

    X: Sequences | Windows
    values: NDArray[Any]
    known: NDArray[np.bool_]
    weight: NDArray[np.float64]
    kind: str
    ndim: int

    def with_truth(self, *, owner: str) -> Self:
        """Return the sequences with at least one step that has a target and a weight above 0.

        Raises
        ------
        InvalidSequencesError
            If there are none.
        """
        lengths = step_lengths(self.X)
        kept = np.logical_or.reduceat(self.known, np.cumsum(lengths) - lengths)
        if not kept.any():
            raise InvalidSequencesError(
                f"y of {owner} has no target at any time step with a weight above 0. At least one is required, in each "
                "split of the data."
            )
        if kept.all():
            return self
        rows = np.repeat(kept, lengths)
        parts = {name: getattr(self, name)[rows] for name in ("values", "known", "weight")}
        return replace(self, X=self.X[np.flatnonzero(kept)], **parts)


def step_lengths(X: Sequences | Windows) -> NDArray[np.int64]:
    """Return the number of time steps of each sequence, shape (n_samples,)."""
    return X.lengths if isinstance(X, Sequences) else np.full(len(X), X.window)


def read_step_targets(y: Any, X: Sequences | Windows, *, owner: str, name: str = "y") -> StepTargets:
    """Return y, aligned with X, as one array, with None, NaN or NA for unknown targets.

    Parameters
    ----------
    y : Sequences, Windows, array-like of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_outputs), or \
list, object array or Series of arrays (n_timesteps,) or (n_timesteps, n_outputs)
        Targets; masked values are unknown.
    X : Sequences or Windows
        Validated input.
    owner : str
        Name of the estimator, for error messages.
    name : str, default="y"
        Name of the targets, for error messages.

    Raises
    ------
    InvalidSequencesError, ValueError
        If the number of sequences, or the number of steps of a sequence, differs between y and X.
    """
    if y is None:
        raise ValueError(f"This {owner} estimator requires y to be passed, but the target y is None.")
    if isinstance(y, Sequences):
        _check_aligned(y.lengths, X, owner, name)
        return StepTargets(y.values, "sequences", 2)
    y = _with_gaps(y) if np.ma.isMaskedArray(y) else familiar(y, name)
    padded = _as_padded(y, name)
    if padded is not None:
        return _read_padded(padded, X, owner, name)
    if not hasattr(y, "__iter__") or isinstance(y, str | bytes | dict | set):
        raise InvalidSequencesError(
            f"{name} of {owner} must be an array of shape (n_samples, n_timesteps), or a list of n_samples arrays. "
            f"Got {type(y).__name__} instead."
        )
    check_steps_order(y, name=name)
    return _read_list(list(y), X, owner, name)


def _with_gaps(y: Any) -> NDArray[Any]:
    """Return a masked array as objects, with None for masked values."""
    values = np.asarray(y.data).astype(object)
    values[np.ma.getmaskarray(y)] = None
    return values


def _as_padded(y: Any, name: str) -> NDArray[Any] | None:
    """Return y as an array of shape (n_samples, n_timesteps, …), or None if it is ragged."""
    if isinstance(y, Windows):
        return np.asarray(y)
    if isinstance(y, pd.DataFrame):
        return plain_array(y, name) if is_table(y) else None
    return y if isinstance(y, np.ndarray) and (y.ndim > 1 or y.dtype != object) else None


def _read_padded(y: NDArray[Any], X: Sequences | Windows, owner: str, name: str) -> StepTargets:
    if y.ndim not in (2, 3):
        raise InvalidSequencesError(
            f"{name} of {owner} must have shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_outputs), with "
            f"one target per time step. Got shape {y.shape} instead. For one target per sequence, use "
            "SequenceClassifier or SequenceRegressor."
        )
    _check_aligned(np.full(len(y), y.shape[1]), X, owner, name)
    return StepTargets(y.reshape(y.shape[0] * y.shape[1], -1), "array", y.ndim - 1)


def _read_list(y: list[Any], X: Sequences | Windows, owner: str, name: str) -> StepTargets:
    arrays = [_one(item, i, owner, name) for i, item in enumerate(y)]
    _check_aligned(np.array([len(array) for array in arrays], dtype=np.int64), X, owner, name)
    first = arrays[0]
    other = next((i for i, array in enumerate(arrays) if array.shape[1:] != first.shape[1:]), None)
    if other is not None:
        raise InvalidSequencesError(
            f"The targets of sample {other} have shape {arrays[other].shape}, but those of sample 0 have "
            f"{first.shape}. Pass the same number of outputs per time step in all sequences."
        )
    texts = [array.dtype.kind in "US" for array in arrays]
    if any(texts) and not all(texts):  # concatenated, the numbers would become strings
        arrays = [array.astype(object) for array in arrays]
    rows = np.concatenate(arrays)
    return StepTargets(rows.reshape(len(rows), -1), "list", first.ndim)


def _one(item: Any, i: int, owner: str, name: str) -> NDArray[Any]:
    array = _with_gaps(item) if np.ma.isMaskedArray(item) else plain_array(item, f"{name}, sample {i}")
    if array.ndim == 1 and array.dtype == object and any(isinstance(step, list | tuple | np.ndarray) for step in array):
        raise InvalidSequencesError(
            f"The targets of sample {i} have unequal numbers of outputs. Pass the same number at each time step."
        )
    if array.ndim not in (1, 2):
        raise InvalidSequencesError(
            f"{name} of {owner} must have shape (n_timesteps,) or (n_timesteps, n_outputs) in sample {i}. Got shape "
            f"{array.shape} instead. For one target per sequence, use SequenceClassifier or SequenceRegressor."
        )
    return array


def _check_aligned(lengths: NDArray[np.int64], X: Sequences | Windows, owner: str, name: str) -> None:
    if len(lengths) != len(X):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[len(X), len(lengths)]}. "
            f"{name} of {owner} must have one sequence of entries per sequence of X."
        )
    expected = step_lengths(X)
    wrong = np.flatnonzero(lengths != expected)
    if len(wrong):
        i = int(wrong[0])
        raise InvalidSequencesError(
            f"{name} has {lengths[i]} steps, but X has {expected[i]} in {_place(X, i)} ({len(wrong)} such samples): "
            f"{owner} expects one target per time step. Align the two, or use SequenceClassifier or SequenceRegressor "
            "for one target per sequence."
        )


def check_step_numbers(
    rows: NDArray[Any], X: Sequences | Windows, *, owner: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return targets as float64 of shape (total_steps, n_outputs), 0 where unknown, and a mask of steps with targets.

    Raises
    ------
    InvalidSequencesError
        If a target is infinite or not a real number, or only some outputs of a step are known; names sample and step.
    """
    if rows.dtype.kind not in "fiubO":
        raise InvalidSequencesError(
            f"y of {owner} must contain real numbers. Got dtype {rows.dtype} instead; for labels, use StepClassifier."
        )
    numbers = _numbers(rows, X, f"y of {owner}")
    missing: NDArray[np.bool_] = np.isnan(numbers)
    _refuse(np.asarray(np.isinf(numbers).any(axis=1)), X, "Input y contains infinity", "Clip or rescale these targets.")
    known: NDArray[np.bool_] = ~np.asarray(missing.all(axis=1))
    _refuse(
        np.asarray(missing.any(axis=1)) & known,
        X,
        "y has missing values in some outputs of a step, but not in all",
        "Pass all outputs of a step, or none.",
    )
    return np.where(known[:, None], numbers, 0.0), known


def _numbers(rows: NDArray[Any], X: Sequences | Windows, name: str) -> NDArray[np.float64]:
    if rows.dtype != object:
        return rows.astype(np.float64)
    width = rows.shape[1]
    found = object_numbers(rows.reshape(-1), lambda i: f"{name}, {_step_place(X, i // width)}")
    return found.reshape(rows.shape)


def check_step_labels(
    rows: NDArray[Any], X: Sequences | Windows, *, owner: str
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return labels of shape (total_steps,), with any label where unknown, and a mask of steps with a label.

    Raises
    ------
    InvalidSequencesError, ValueError
        If there are several labels per step, all are missing, or labels are fractions, infinite or of mixed types.
    """
    if rows.shape[1] != 1:
        raise InvalidSequencesError(
            f"{owner} expects one label per time step. Got {rows.shape[1]} instead: fit one estimator per column of y. "
            "For one-hot labels, pass y.argmax(axis=-1)."
        )
    labels = rows[:, 0]
    known = ~missing_values(labels)
    if not known.any():
        raise InvalidSequencesError(f"y of {owner} has no label at any time step. At least one is required.")
    if labels.dtype.kind in "fc":
        _refuse(known & ~np.isfinite(labels), X, "Input y contains infinity", "Correct these labels.")
    found = _uniform(labels[known])
    check_classification_targets(found)
    if known.all():
        return found, known
    filled = np.full(len(labels), found[0], dtype=found.dtype)
    filled[known] = found
    return filled, known


def _uniform(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels, none of which is missing, as an array of their common numpy dtype."""
    found = plain_labels(labels)
    return np.array(found.tolist()) if found.dtype == object else found


def check_all_known(known: NDArray[np.bool_], X: Sequences | Windows, *, owner: str) -> None:
    """Raise `InvalidSequencesError` with the position of the first step without a target."""
    _refuse(
        ~known,
        X,
        "Input y contains NaN or None",
        f"{owner} requires a target at every time step: fill in the missing ones, or remove the steps from X and y.",
    )


def read_step_weight(sample_weight: Any, X: Sequences | Windows, *, owner: str) -> NDArray[np.float64]:
    """Return the weight of each step, shape (total_steps,), from weights per sequence or per time step.

    Raises
    ------
    ValueError
        If a weight is missing, infinite, negative or not a number, all are 0, or they are not aligned with X.
    """
    lengths = step_lengths(X)
    if sample_weight is None:
        return np.ones(int(lengths.sum()))
    if not _by_step(sample_weight):
        weight = check_weight(sample_weight, len(X))
        assert weight is not None
        return np.repeat(weight, lengths)
    name = "sample_weight"
    rows = read_step_targets(sample_weight, X, owner=owner, name=name).rows
    if rows.shape[1] != 1:
        raise InvalidSequencesError(f"{name} of {owner} must be one number per time step. Got {rows.shape[1]} instead.")
    check_real(rows.dtype, name)
    numbers = _numbers(rows, X, name)[:, 0]
    _refuse(~np.isfinite(numbers), X, f"Input {name} contains NaN or infinity", "Set weights to 0 to exclude steps.")
    _refuse(numbers < 0, X, f"{name} has negative values", "Weights must be >= 0.")
    if not numbers.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return numbers


def _by_step(weight: Any) -> bool:
    """Return whether weights are per time step: an array of two dimensions, or a list of arrays."""
    weight = familiar(weight, "sample_weight")
    if isinstance(weight, Sequences | Windows) or getattr(weight, "ndim", 1) > 1:
        return True
    listed = isinstance(weight, list | tuple | pd.Series | np.ndarray) and getattr(weight, "ndim", 1) == 1
    return listed and any(isinstance(item, list | tuple) or getattr(item, "ndim", 0) for item in weight)


def _refuse(bad: NDArray[np.bool_], X: Sequences | Windows, what: str, remedy: str) -> None:
    if bad.any():
        place = _step_place(X, int(bad.argmax()))
        raise InvalidSequencesError(f"{what}: {place} ({int(bad.sum())} such steps). {remedy}")


def _step_place(X: Sequences | Windows, row: int) -> str:
    """Return the position of a step, given its index among all steps, for error messages."""
    lengths = step_lengths(X)
    ends = np.cumsum(lengths)
    i = int(np.searchsorted(ends, row, side="right"))
    return f"{_place(X, i)}, step {row - int(ends[i] - lengths[i])}"


def target_place(X: Sequences | Windows, row: int, n_rows: int) -> str:
    """Return the position of one of ``n_rows`` targets, of sequences or of all time steps, for error messages."""
    return _place(X, row) if n_rows == len(X) else _step_place(X, row)


def _place(X: Sequences | Windows, i: int) -> str:
    return X.describe(i) if isinstance(X, Sequences) else f"sample {i}"


def step_shaped(values: NDArray[Any], X: Sequences | Windows, kind: str) -> Any:
    """Split values of all steps, shape (total_steps, …), by sequence.

    The result is an array if ``kind`` is "array" and all sequences have the same length, `Sequences` if it is
    "sequences", and otherwise an object array of arrays, which scikit-learn can index and concatenate.
    """
    lengths = step_lengths(X)
    if kind == "array" and (lengths == lengths[0]).all():
        return values.reshape(len(X), lengths[0], *values.shape[1:])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    if kind == "sequences" and values.dtype.kind in "fiub":
        return Sequences(values, offsets, ids=getattr(X, "ids", None))
    ragged = np.empty(len(X), dtype=object)
    for i, part in enumerate(np.split(values, offsets[1:-1])):  # a single assignment would stack arrays of equal length
        ragged[i] = part
    return ragged


def step_rows(shaped: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the result of `step_shaped` as values of shape (total_steps, …) and offsets of shape (n_samples + 1,)."""
    if isinstance(shaped, Sequences):
        return shaped.values, shaped.offsets
    lengths = [len(each) for each in shaped]
    return np.concatenate([*shaped]), np.concatenate([[0], np.cumsum(lengths)])
