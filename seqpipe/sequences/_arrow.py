"""Arrow list arrays, the layout of nested columns in Parquet files, to sequences and back without copying."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from seqpipe.sequences._container import Sequences
from seqpipe.tables import runs_from_arrow

__all__ = ["arrow_from_sequences", "sequences_from_arrow"]


def sequences_from_arrow(array: Any, *, ids: Any = None) -> Sequences:
    """Take an Arrow array with one list a sequence.

    Parameters
    ----------
    array : pyarrow Array or ChunkedArray of n_samples lists, or anything that pyarrow.array takes
        Lists of numbers (one feature a step), or lists of steps that are lists of n_features numbers; lists
        may be large or of fixed size. A pandas Series of lists will do.
    ids : array of shape (n_samples,), optional
        What the user calls each sequence.

    Returns
    -------
    Sequences
        Over the memory of the array where it is one chunk of float32 or float64; other numbers become
        float64.

    Raises
    ------
    InvalidSequencesError
        If the array holds no lists of numbers, has a null anywhere, or its steps have unequal numbers of
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
    """Return one list a sequence, of numbers or, with several features, of fixed-size lists.

    Values and offsets are not copied where they are contiguous; ids and feature names are not kept.
    """
    return X.to_arrow()
