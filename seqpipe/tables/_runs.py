"""The sequences of a table as plain arrays, before a container is created."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["Runs"]


@dataclass(frozen=True)
class Runs:
    """Sequences as runs of rows of one matrix; the fields are the arguments of `seqpipe.Sequences`.

    Attributes
    ----------
    values : array of shape (total_steps, n_features)
        All time steps, one sequence after the other.
    offsets : array of int, shape (n_samples + 1,)
        Sequence ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    ids : array of shape (n_samples,), or None
        Identifier of each sequence.
    feature_names : iterable of str, or None
        One name per column of ``values``.
    """

    values: NDArray[Any]
    offsets: NDArray[Any]
    ids: NDArray[Any] | None = None
    feature_names: Iterable[str] | None = None
