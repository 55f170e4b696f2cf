"""Zero-copy conversion between Arrow list arrays, the layout of nested columns in Parquet files, and sequences."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from seqpipe.sequences._container import Sequences
from seqpipe.tables import runs_from_arrow

__all__ = ["arrow_from_sequences", "sequences_from_arrow"]


def sequences_from_arrow(array: Any, *, ids: Any = None) -> Sequences:
    """Convert an Arrow array with one list per sequence.

    Parameters
    ----------
    array : pyarrow Array or ChunkedArray of n_samples lists, or anything that pyarrow.array accepts
        Lists of numbers (one feature per step), or lists of steps that are lists of n_features numbers; lists
        may be large or of fixed size. A pandas Series of lists is accepted.
    ids : array of shape (n_samples,), optional
        Identifier of each sequence.

    Returns
    -------
    Sequences
        Shares the memory of the array if it is a single chunk of float32 or float64; other numbers become
        float64.

    Raises
    ------
    InvalidSequencesError
        If the array does not hold lists of numbers, contains a null, or its steps have unequal numbers of
        features.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from seqpipe.sequences import sequences_from_arrow
    >>> sequences_from_arrow(pa.array([[1.0, 2.0], [3.0]]))
    Sequences(n_samples=2, n_timesteps=1..2, n_features=1, dtype=float64)
    """
    return Sequences(**vars(runs_from_arrow(array, ids=ids)))


def arrow_from_sequences(X: Sequences) -> pa.LargeListArray:
    """Convert to an Arrow array with one list per sequence, of numbers or, with several features, of fixed-size lists.

    Values and offsets are not copied if they are contiguous; ids and feature names are not kept.
    """
    return X.to_arrow()
