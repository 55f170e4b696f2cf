"""Validation of the kind of class labels: texts, numbers or dates of numpy."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["plain_labels"]

#: Number above every int64: float64 and scikit-learn round labels from here on.
_TOO_LARGE = 2.0**63


def plain_labels(y: NDArray[Any]) -> NDArray[Any]:
    """Return labels, none of which is missing; numbers given as objects in their common numpy dtype.

    Raises
    ------
    InvalidSequencesError
        If labels are of mixed types, objects other than texts and numbers, or numbers out of the range of int64.
    """
    if y.dtype != object:
        _refuse_large(y)
        return y
    if all(isinstance(label, str) for label in y):
        return y
    if all(isinstance(label, Real | np.bool_) for label in y):
        found = np.array(y.tolist())
        if found.dtype != object:
            return plain_labels(found)
    if any(isinstance(label, list | tuple | set | np.ndarray) for label in y):
        return y  # several labels per row, for which scikit-learn's error names the remedy
    raise InvalidSequencesError(_objection(y))


def _refuse_large(y: NDArray[Any]) -> None:
    large = y[np.abs(y) >= _TOO_LARGE] if y.dtype.kind == "f" else y[:0]
    if len(large):
        raise InvalidSequencesError(
            f"y holds the label {float(large[0])!r}, which is out of the range of int64 and may have been rounded. Give the labels as "
            "strings; to predict numbers, use a regressor."
        )


def _objection(y: NDArray[Any]) -> str:
    kinds = sorted({type(label).__name__ for label in y})
    if len(kinds) > 1:
        return f"y mixes labels of types {kinds}. Convert them all to strings or all to numbers."
    what = f"y holds labels of type {kinds[0]!r}, such as {y[0]!r:.60}"
    return (
        f"{what}, which are not texts, or numbers in the range of int64. Convert them to strings, such as with "
        "[str(label) for label in y]."
    )
