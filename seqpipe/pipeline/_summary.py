"""One-line summary of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from seqpipe.sequences import Sequences, Windows
from seqpipe.tables import count, rows_by_id
from seqpipe.tasks import TaskData
from seqpipe.transformers import is_texts

__all__ = ["describe_data"]


def describe_data(data: TaskData, estimator: Any) -> str:
    """Return a summary such as "400 sequences of 20 to 300 steps, 3 features, 4 classes"."""
    if is_texts(data.X):
        classes = f", {_targets(data.y, estimator)}" if is_classifier(estimator) else ""
        return f"{_texts(data.X)}{classes}"
    if isinstance(data.X, pd.DataFrame) and (data.y is None or isinstance(data.y, pd.DataFrame)):
        return _series(data)
    ndim = getattr(data.X, "ndim", 0)
    if ndim == 2 and is_texts(data.y):
        return f"{count(len(data.X), 'vector')} of {count(data.X.shape[1], 'feature')}, one text per vector"
    if not isinstance(data.X, Sequences | Windows) and ndim < 2:  # data of a plug-in, in a form known to its estimator
        return count(len(data.X), "sample")
    return ", ".join([_sequences(data.X), *([] if data.y is None else [_targets(data.y, estimator)])])


def _series(data: TaskData) -> str:
    target = data.X if data.y is None else data.y
    index, columns = target.index, ", ".join(map(str, target.columns))
    lengths = [len(rows) for rows in rows_by_id(target).values()]
    what = f"a series of {count(len(target), 'step')}"
    if isinstance(index, pd.MultiIndex):
        index = index.get_level_values(-1).sort_values()
        what = f"{count(len(lengths), 'series', plural='')} of {_range(lengths)} steps"
    span = f" from {index[0]:%Y-%m-%d} to {index[-1]:%Y-%m-%d}" if isinstance(index, pd.DatetimeIndex) else ""
    known = "" if data.y is None else f", with {count(data.X.shape[1], 'column')} known in advance"
    return f"{what}{span}: {columns}{known}"


def _range(lengths: Sequence[int]) -> str:
    """Return a length, or the shortest and the longest."""
    shortest, longest = min(lengths), max(lengths)
    return f"{shortest:,}" if shortest == longest else f"{shortest:,} to {longest:,}"


def _texts(X: Any) -> str:
    return f"{count(len(X), 'text')} of {_range([len(text) for text in X])} {'characters' if isinstance(X[0], str) else 'tokens'}"


def _sequences(X: Any) -> str:
    if isinstance(X, Sequences):
        lengths, element = [X.lengths.min(), X.lengths.max()], X.element_shape or (X.n_features,)
    else:
        shape = np.shape(X)
        lengths, element = [shape[1]], shape[2:] or (1,)
    each = count(element[0], "feature") if len(element) == 1 else " × ".join(map(str, element)) + " features"
    return f"{count(len(X), 'sequence')} of {_range(lengths)} steps, {each}"


def _targets(y: Any, estimator: Any) -> str:
    if isinstance(y, list) and not all(np.ndim(each) for each in y):  # such as texts
        return "one target per sequence"
    if isinstance(y, list) or np.ndim(y) == 3:
        return f"{_step_targets(y)} per step"
    if is_classifier(estimator):
        return count(len(np.unique(y)), "class", plural="es") if np.ndim(y) == 1 else count(y.shape[1], "label")
    return count(1 if np.ndim(y) == 1 else np.shape(y)[1], "target")


def _step_targets(y: Any) -> str:
    """Return a summary of targets per step: a list of arrays, or an array (n_samples, n_timesteps, n_outputs)."""
    rows = np.concatenate(list(y))
    if rows.dtype.kind != "f" and rows.ndim == 2 and rows.shape[1] > 1:
        return count(rows.shape[1], "label")
    if rows.dtype.kind != "f":
        return f"one of {count(len(np.unique(rows)), 'class', plural='es')}"
    return count(1 if rows.ndim == 1 else rows.shape[1], "target")
