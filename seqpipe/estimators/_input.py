"""Validation of X, targets and weights in fit and predict."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    check_array,
    column_or_1d,
    validate_data,
)

from seqpipe.estimators._label_kinds import plain_labels
from seqpipe.estimators._plain import missing_values, plain_array
from seqpipe.exceptions import DataWarning, InvalidSequencesError
from seqpipe.sequences import (
    Sequences,
    Windows,
    as_sequences,
    check_finite,
    check_real,
    familiar,
    is_table,
    listed,
    object_numbers,
    readable,
)
from seqpipe.tables import check_one_series, check_steps_order, refuse_panel
from seqpipe.transformers import TOKEN, is_texts

#: Integers up to this one are exact in float32.
_LARGEST_TOKEN = 2**24 - 1

__all__ = ["check_X", "check_labels", "check_rows", "check_series", "check_targets", "check_weight", "read_X"]


def check_X(estimator: Any, X: Any, *, reset: bool) -> Sequences | Windows:
    """Return X as `Sequences` or `Windows` of float32 or float64.

    With ``reset``, ``n_features_in_`` is set, to n_timesteps for a table of shape (n_samples, n_timesteps) and to
    n_features for sequences, and ``element_shape_``, if time steps are tensors. Otherwise X must match them.

    Raises
    ------
    ValueError
        If X is empty, not numeric or not finite, or does not match the training data.
    """
    X = listed(X)
    _check_order(X)  # before reading, which drops the index of series in a list
    X = read_X(X)
    _check_order(X)
    table = is_table(X)
    if not reset:
        table = table and not _is_list_of_series(estimator, X)
        _check_kind(estimator, X, table)
    if table:
        X = validate_data(estimator, X, reset=reset, ensure_all_finite=False)
        found = as_sequences(X[:, :, None])
    else:
        found = as_sequences(X)
        _check_columns(estimator, found, reset=reset)
    if getattr(estimator, "embedding", None) is not None:
        _check_tokens(estimator, found, reset=reset)
    elif reset and hasattr(estimator, "embedding") and found.feature_names == (TOKEN,):
        _warn_of_tokens(estimator, found)
    shape = getattr(found, "element_shape", None)
    if reset:
        estimator._takes_table = table
        estimator.element_shape_ = shape
    else:
        _check_element_shape(estimator, shape)
    return found


def _check_element_shape(estimator: Any, shape: tuple[int, ...] | None) -> None:
    """Raise an error if time steps are tensors of another shape than in fit; flattened ones are accepted."""
    fitted = estimator.element_shape_
    if shape is not None and fitted is not None and shape != fitted:
        raise InvalidSequencesError(
            f"X has time steps of shape {shape}, but {type(estimator).__name__} was fitted with time steps of shape "
            f"{fitted}. Pass X of shape (n_samples, n_timesteps, {', '.join(map(str, fitted))})."
        )


def _check_tokens(estimator: Any, X: Sequences | Windows, *, reset: bool) -> None:
    """Validate that X has one token number per time step; with ``reset``, set ``n_tokens_``."""
    tokens = X.base if isinstance(X, Windows) else X.values
    what = f"{type(estimator).__name__} with embedding={estimator.embedding!r}"
    if X.n_features != 1:
        raise InvalidSequencesError(f"{what} expects one token number per time step. Got {X.n_features} features.")
    check_finite(X)
    wrong = np.flatnonzero((tokens < 0) | (tokens != np.floor(tokens)) | (tokens > _LARGEST_TOKEN))
    if len(wrong):
        raise InvalidSequencesError(
            f"{what} expects integers from 0 to {_LARGEST_TOKEN} as token numbers. Got {tokens[wrong[0], 0]} instead. "
            "Convert texts to token numbers with TokenizeTexts."
        )
    n_tokens = int(tokens.max(initial=0)) + 1
    if reset:
        estimator.n_tokens_ = n_tokens
    elif n_tokens > estimator.n_tokens_:
        raise InvalidSequencesError(
            f"X contains the token number {n_tokens - 1}, but {type(estimator).__name__} was fitted with token numbers "
            f"below {estimator.n_tokens_}. Map unknown tokens to one of the training data."
        )


def _warn_of_tokens(estimator: Any, X: Sequences | Windows) -> None:
    """Warn if token numbers would be used as real numbers."""
    tokens = X.base if isinstance(X, Windows) else X.values
    if (tokens == np.floor(tokens)).all():
        warnings.warn(
            f"X of {type(estimator).__name__} contains token numbers, which are treated as real numbers without an "
            "embedding. Set embedding='one_hot', or, for example, embedding=16 for learned vectors of that size.",
            DataWarning,
            stacklevel=2,
        )


def read_X(X: Any) -> Any:
    """Return the result of `readable`; raise an error with the remedy if X contains texts."""
    if isinstance(X, Sequences | Windows):
        return X
    found = familiar(X, "X")
    if getattr(found, "shape", None) != () and is_texts(found):
        raise InvalidSequencesError(
            "X contains texts instead of real numbers. Convert them to token numbers with TokenizeTexts, in a recipe "
            "with the step 'tokenize', and set embedding."
        )
    return readable(X)


def check_series(X: Any, y: Any = None, *, owner: str) -> None:
    """Raise an error if X is not one series with rows in order of time, or y has other times."""
    if isinstance(X, Sequences | Windows) or (isinstance(X, list | tuple) and not is_table(X)):
        raise InvalidSequencesError(
            f"{owner} expects one series of shape (n_timesteps,) or (n_timesteps, n_features). Got {type(X).__name__} "
            f"of {len(X)} sequences: fit one {owner} per series, or pass series with the same times as columns."
        )
    check_one_series(X, y, owner=owner)


def check_rows(estimator: Any, X: Any, *, reset: bool) -> NDArray[Any]:
    """Validate rows in order of time; return them as float32 or float64 of shape (n_timesteps, n_features)."""
    X = read_X(X)
    rows = validate_data(estimator, X, reset=reset, ensure_all_finite=False)
    found = Sequences(rows, [0, len(rows)], feature_names=getattr(estimator, "feature_names_in_", None))
    check_finite(found)
    return found.values


def _check_order(X: Any) -> None:
    """Raise an error for a panel whose rows would be read as sequences, and for steps not in order of time."""
    if hasattr(X, "columns"):
        refuse_panel(X)
    elif isinstance(X, list | tuple):
        check_steps_order(X)


def _is_list_of_series(estimator: Any, X: Any) -> bool:
    """Return whether X is a list of one-dimensional sequences, which happen to have the same length."""
    return isinstance(X, list | tuple) and not estimator._takes_table and estimator.n_features_in_ == 1


def _check_kind(estimator: Any, X: Any, table: bool) -> None:
    if table == estimator._takes_table:
        return
    name = type(estimator).__name__
    if table:
        raise ValueError(
            f"{name} was fitted with sequences of {estimator.n_features_in_} features and expects X of shape "
            f"(n_samples, n_timesteps, {estimator.n_features_in_}) or a list of (n_timesteps, "
            f"{estimator.n_features_in_}) arrays. Got shape {np.shape(X)} instead. For a single sequence, pass "
            "X[None]."
        )
    raise ValueError(
        f"{name} was fitted with a table of {estimator.n_features_in_} time steps, with one sequence per row, and "
        "expects the same in predict. To predict on sequences of any length, fit with X[:, :, None]."
    )


def _check_columns(estimator: Any, X: Sequences | Windows, *, reset: bool) -> None:
    if X.feature_names is None:
        _check_feature_names(estimator, np.empty((1, X.n_features)), reset=reset)
        _check_n_features(estimator, np.empty((1, X.n_features)), reset=reset)
        return
    import pandas as pd

    columns = pd.DataFrame(np.empty((1, X.n_features)), columns=list(X.feature_names))
    _check_feature_names(estimator, columns, reset=reset)
    _check_n_features(estimator, columns, reset=reset)


def check_labels(y: Any, n_samples: int) -> NDArray[Any]:
    """Validate class labels; return them as an array of shape (n_samples,).

    Raises
    ------
    InvalidSequencesError
        If labels are missing or of mixed types; names the sample.
    """
    y = column_or_1d(plain_array(y, "y"), warn=True)
    if y.dtype.kind in "fc":
        _check_finite_targets(y)
    missing = np.flatnonzero(missing_values(y))
    if len(missing):
        raise InvalidSequencesError(
            f"Input y contains NaN or None: sample {missing[0]} ({len(missing)} such samples). Drop these samples or "
            "fill in their labels."
        )
    y = plain_labels(y)
    _check_count(y, n_samples)
    return y


def check_targets(owner: Any, y: Any, n_samples: int) -> NDArray[np.float64]:
    """Validate targets; return them as float64 of shape (n_samples,) or (n_samples, n_outputs).

    Raises
    ------
    ValueError
        If a target is missing, infinite or not a number; names the sample.
    """
    y = _as_numbers(plain_array(y, "y"), "y")
    if not y.ndim:
        raise InvalidSequencesError(f"y must have shape (n_samples,) or (n_samples, n_outputs). Got {y!r} instead.")
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=owner, ensure_all_finite=False)
    _check_finite_targets(y)
    _check_count(y, n_samples)
    if y.ndim > 2:
        raise ValueError(f"y must have shape (n_samples,) or (n_samples, n_outputs). Got shape {y.shape} instead.")
    return y


def _as_numbers(values: NDArray[Any], name: str) -> NDArray[Any]:
    check_real(values.dtype, name)
    if values.dtype != object:
        return values
    width = max(1, values.size // max(1, len(values)))
    return object_numbers(values.reshape(-1), lambda i: f"{name}, sample {i // width}").reshape(values.shape)


def _check_finite_targets(y: NDArray[Any]) -> None:
    bad = np.flatnonzero(~np.isfinite(y.reshape(len(y), -1)).all(axis=1))
    if not len(bad):
        return
    what = "NaN" if np.isnan(y).any() else f"infinity or a value too large for {y.dtype!r}"
    raise InvalidSequencesError(
        f"Input y contains {what}: sample {bad[0]} ({len(bad)} such samples). Drop these samples or fill in their "
        "targets."
    )


def _check_count(y: NDArray[Any], n_samples: int) -> None:
    if len(y) != n_samples:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[n_samples, len(y)]}. "
            "y must have one entry per sequence."
        )


def check_weight(sample_weight: Any, n_samples: int) -> NDArray[np.float64] | None:
    """Validate weights; return them as float64 of shape (n_samples,), or None if ``sample_weight`` is None.

    Raises
    ------
    ValueError
        If a weight is missing, infinite, negative or not a number, or all are 0.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Mapping | str):
        raise InvalidSequencesError(
            f"sample_weight must be an array of n_samples = {n_samples} numbers. Got {sample_weight!r:.60} instead. For weights by "
            "label, set class_weight of a classifier."
        )
    given = _as_numbers(plain_array(sample_weight, "sample_weight"), "sample_weight")
    bad = np.flatnonzero(~np.isfinite(given))
    if given.ndim == 1 and len(bad):
        raise InvalidSequencesError(
            f"Input sample_weight contains NaN or infinity: sample {bad[0]} ({len(bad)} such samples). Set "
            "weights to 0 to exclude samples."
        )
    weight = _check_sample_weight(
        given if given.ndim else given.item(), np.empty((n_samples, 1)), dtype=np.float64, ensure_non_negative=True
    )
    if not (weight > 0).any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weight
