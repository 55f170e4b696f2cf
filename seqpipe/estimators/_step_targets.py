"""Targets at every time step: read from what users call y, held against X, and given back in the same form."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows, is_table
from seqpipe.tables import check_steps_order

__all__ = ["StepTargets", "check_step_labels", "check_step_numbers", "read_step_targets", "step_lengths", "step_shaped"]


class StepTargets(NamedTuple):
    """Targets of all steps, one sequence after the other, and the form in which they came.

    Attributes
    ----------
    rows : array of shape (total_steps, n_outputs)
        Of any type.
    kind : {"array", "list", "sequences"}
        What held the sequences.
    ndim : {1, 2}
        Dimensions of one sequence's targets.
    """

    rows: NDArray[Any]
    kind: str
    ndim: int


def step_lengths(X: Sequences | Windows) -> NDArray[np.int64]:
    """Return the time steps of each sequence, shape (n_samples,)."""
    return X.lengths if isinstance(X, Sequences) else np.full(len(X), X.window)


def read_step_targets(y: Any, X: Sequences | Windows, *, owner: str) -> StepTargets:
    """Return y, aligned with X, as one array.

    Parameters
    ----------
    y : Sequences, Windows, array-like of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_outputs), or \
list, object array or Series of arrays (n_timesteps,) or (n_timesteps, n_outputs)
        Targets.
    X : Sequences or Windows
        The input, checked.
    owner : str
        The estimator, for errors.

    Raises
    ------
    InvalidSequencesError, ValueError
        If y has another number of sequences than X, or one of its sequences another number of steps.
    """
    if y is None:
        raise ValueError(f"This {owner} estimator requires y to be passed, but the target y is None.")
    if isinstance(y, Sequences):
        _check_aligned(y.lengths, X, owner)
        return StepTargets(y.values, "sequences", 2)
    padded = _as_padded(y)
    if padded is not None:
        return _read_padded(padded, X, owner)
    check_steps_order(y, name="y")
    return _read_list(list(y), X, owner)


def _as_padded(y: Any) -> NDArray[Any] | None:
    """Return y as an array of shape (n_samples, n_timesteps, …) if it is one."""
    if isinstance(y, Windows):
        return np.asarray(y)
    if hasattr(y, "iloc"):
        return y.to_numpy() if y.ndim == 2 and is_table(y) else None
    return y if isinstance(y, np.ndarray) and (y.ndim > 1 or y.dtype != object) else None


def _read_padded(y: NDArray[Any], X: Sequences | Windows, owner: str) -> StepTargets:
    if y.ndim not in (2, 3):
        raise InvalidSequencesError(
            f"y of {owner} must have shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_outputs). Got {y.shape} "
            "instead: give a target for each time step. For one a sequence there are SequenceClassifier and "
            "SequenceRegressor."
        )
    _check_aligned(np.full(len(y), y.shape[1]), X, owner)
    return StepTargets(y.reshape(y.shape[0] * y.shape[1], -1), "array", y.ndim - 1)


def _read_list(y: list[Any], X: Sequences | Windows, owner: str) -> StepTargets:
    arrays = [_one(item, i, owner) for i, item in enumerate(y)]
    _check_aligned(np.array([len(array) for array in arrays], dtype=np.int64), X, owner)
    first = arrays[0]
    other = next((i for i, array in enumerate(arrays) if array.shape[1:] != first.shape[1:]), None)
    if other is not None:
        raise InvalidSequencesError(
            f"The targets of sample {other} have shape {arrays[other].shape} where those of the first have {first.shape}: "
            "give as many outputs a step in every sequence."
        )
    texts = [array.dtype.kind in "US" for array in arrays]
    if any(texts) and not all(texts):  # joined, the numbers would become text
        arrays = [array.astype(object) for array in arrays]
    rows = np.concatenate(arrays)
    return StepTargets(rows.reshape(len(rows), -1), "list", first.ndim)


def _one(item: Any, i: int, owner: str) -> NDArray[Any]:
    try:
        array = np.asarray(item)
    except ValueError as error:
        raise InvalidSequencesError(f"The targets of sample {i} have unequal numbers of outputs: {error}.") from error
    if array.ndim not in (1, 2):
        raise InvalidSequencesError(
            f"y of {owner} must give sample {i} targets of shape (n_timesteps,) or (n_timesteps, n_outputs). Got shape "
            f"{array.shape} instead. For one target a sequence there are SequenceClassifier and SequenceRegressor."
        )
    return array


def _check_aligned(lengths: NDArray[np.int64], X: Sequences | Windows, owner: str) -> None:
    if len(lengths) != len(X):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[len(X), len(lengths)]}. "
            f"y of {owner} needs one sequence of targets for each sequence of X."
        )
    expected = step_lengths(X)
    wrong = np.flatnonzero(lengths != expected)
    if len(wrong):
        i = int(wrong[0])
        raise InvalidSequencesError(
            f"y has {lengths[i]} steps where X has {expected[i]} in {_place(X, i)} ({len(wrong)} such samples): {owner} "
            "takes one target a time step. Cut both to the same steps, or use SequenceClassifier or SequenceRegressor for "
            "one target a sequence."
        )


def check_step_numbers(rows: NDArray[Any], X: Sequences | Windows, *, owner: str) -> NDArray[np.float64]:
    """Return targets as float64 of the same shape (total_steps, n_outputs).

    Raises
    ------
    InvalidSequencesError
        If they are not finite real numbers; names sample and step.
    """
    if rows.dtype.kind not in "fiubO":
        raise InvalidSequencesError(
            f"y of {owner} must hold real numbers, got dtype {rows.dtype}: labels are for StepClassifier."
        )
    try:
        numbers = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidSequencesError(f"y of {owner} must hold real numbers: {error}.") from error
    _refuse(np.asarray(~np.isfinite(numbers).all(axis=1)), X, "NaN or infinity")
    return numbers


def check_step_labels(rows: NDArray[Any], X: Sequences | Windows, *, owner: str) -> NDArray[Any]:
    """Return labels of shape (total_steps,).

    Raises
    ------
    InvalidSequencesError, ValueError
        If there are several a step, one is missing, or they are fractions or of unlike kinds.
    """
    if rows.shape[1] != 1:
        raise InvalidSequencesError(
            f"{owner} takes one label a time step, got {rows.shape[1]}: fit one estimator a column of y."
        )
    labels = rows[:, 0]
    if labels.dtype.kind in "fc":
        _refuse(~np.isfinite(labels), X, "NaN or infinity")
    if labels.dtype == object:
        _refuse(np.array([label is None or label != label for label in labels]), X, "NaN or None")
        kinds = sorted({type(label).__name__ for label in labels})
        if "str" in kinds and len(kinds) > 1:
            raise InvalidSequencesError(f"y mixes labels of the kinds {kinds}: make them all text or all numbers.")
    check_classification_targets(labels)
    return labels


def _refuse(bad: NDArray[np.bool_], X: Sequences | Windows, what: str) -> None:
    if not bad.any():
        return
    lengths = step_lengths(X)
    ends = np.cumsum(lengths)
    row = int(bad.argmax())
    i = int(np.searchsorted(ends, row, side="right"))
    raise InvalidSequencesError(
        f"Input y contains {what}: {_place(X, i)}, step {row - int(ends[i] - lengths[i])} ({int(bad.sum())} such steps). "
        "Fill in these targets, or cut the steps out of X and y; which steps the loss counts is for loss_on to say."
    )


def _place(X: Sequences | Windows, i: int) -> str:
    return X.describe(i) if isinstance(X, Sequences) else f"sample {i}"


def step_shaped(values: NDArray[Any], X: Sequences | Windows, kind: str) -> Any:
    """Return values of all steps, shape (total_steps, …), a sequence at a time.

    An "array" if that is the kind and all sequences are equally long, `Sequences` if that is it, else a list of arrays.
    """
    lengths = step_lengths(X)
    if kind == "array" and (lengths == lengths[0]).all():
        return values.reshape(len(X), lengths[0], *values.shape[1:])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    if kind == "sequences":
        return Sequences(values, offsets, ids=getattr(X, "ids", None))
    return np.split(values, offsets[1:-1])
