"""Selection of features of sequences, and joining of sequences feature by feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows

__all__ = ["joined", "picked"]


def picked(X: Sequences | Windows, features: NDArray[np.int64]) -> Sequences | Windows:
    """Return the sequences with only the features of these indices; all of them are not copied."""
    if np.array_equal(features, np.arange(X.n_features)):
        return X
    values = (X.base if isinstance(X, Windows) else X.values)[:, features]
    return _like(X, values, None if X.feature_names is None else [X.feature_names[i] for i in features])


def joined(
    X: Sequences | Windows, parts: dict[str, Sequences | Windows], names: Sequence[str] | None, *, owner: str
) -> Sequences | Windows:
    """Return the features of all parts in one, per time step.

    Parameters
    ----------
    X : Sequences or Windows
        Whose time steps, and ids, the result has.
    parts : dict of str to Sequences or Windows
        What transformers made of X, by their names.
    names : sequence of str, optional
        Names of the joined features.
    owner : str
        Name of the estimator, for error messages.

    Raises
    ------
    InvalidSequencesError
        If a part has other time steps than X.
    """
    for name, part in parts.items():
        if not _aligned(part, X):
            raise InvalidSequencesError(
                f"The transformer {name!r} of {owner} must return sequences with the time steps of X. Got {part!r} for "
                f"{X!r} instead: put transformers that change the number of time steps before or after {owner}."
            )
    values = [part.base if isinstance(part, Windows) else part.values for part in parts.values()]
    return _like(X, np.concatenate(values, axis=1), names)


def _aligned(part: Sequences | Windows, X: Sequences | Windows) -> bool:
    if isinstance(part, Windows):
        same = isinstance(X, Windows) and np.array_equal(part.starts, X.starts) and part.window == X.window
        return same and len(part.base) == len(X.base)  # type: ignore[union-attr]
    return isinstance(X, Sequences) and np.array_equal(part.offsets, X.offsets)


def _like(X: Sequences | Windows, values: NDArray[Any], names: Sequence[str] | None) -> Sequences | Windows:
    if isinstance(X, Sequences):
        return Sequences(values, X.offsets, feature_names=names, ids=X.ids)
    return Windows(values, X.starts, X.window, horizon=X.horizon, offsets=X.offsets, feature_names=names)
