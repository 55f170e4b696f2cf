"""One transformer within a composition: applied to sequences, or to the time steps of all of them as rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import get_tags

from seqpipe.sequences import Sequences, Windows, as_sequences
from seqpipe.transformers._steps import map_steps, valid_steps

__all__ = ["fit_part", "transform_part"]


def fit_part(transformer: Any, X: Sequences | Windows, names: list[str], y: Any) -> tuple[Any, list[str]]:
    """Fit a transformer, or "passthrough"; return the transformed sequences and the names of their features.

    Parameters
    ----------
    transformer : transformer or "passthrough"
        One of sequences is fitted to X and y, any other to the time steps of X as rows.
    X : Sequences or Windows
        The features that it is applied to.
    names : list of str of length n_features
        Their names.
    y : object
        Targets of the sequences, or None.
    """
    if transformer == "passthrough":
        return X, names
    if _takes_sequences(transformer):
        found = as_sequences(transformer.fit(X, y).transform(X))
    else:
        transformer.fit(valid_steps(X))
        found = transform_part(transformer, X)
    return found, _names_out(transformer, names, found.n_features)


def transform_part(transformer: Any, X: Sequences | Windows) -> Sequences | Windows:
    """Return the sequences as a fitted transformer, or "passthrough", transforms them."""
    if transformer == "passthrough":
        return X
    if _takes_sequences(transformer):
        return as_sequences(transformer.transform(X))
    return map_steps(X, lambda rows: _dense(transformer.transform(rows)))


def _takes_sequences(transformer: Any) -> bool:
    """Return whether a transformer, or the first one of a pipeline, declares that it takes sequences."""
    while hasattr(transformer, "steps"):
        transformer = transformer.steps[0][1]
    return bool(get_tags(transformer).input_tags.three_d_array)


def _dense(rows: Any) -> NDArray[Any]:
    return np.asarray(rows.toarray() if issparse(rows) else rows)


def _names_out(transformer: Any, names: list[str], n_features: int) -> list[str]:
    """Return the names that a transformer gives to its features, or their numbers."""
    try:
        found = transformer.get_feature_names_out(np.array(names, dtype=object))
    except (AttributeError, ValueError):  # it has none, or was fitted without names
        found = range(n_features)
    return [str(name) for name in found]
