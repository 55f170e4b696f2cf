"""`Sequences`: a container of sequences of unequal length, stored in two arrays."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.saved import ArrayOf, Items, Schema, TextOf, Whole, optional
from seqpipe.sequences._arrays import as_elements, checked_lengths, offsets_of, take_runs
from seqpipe.sequences._foreign import familiar, familiar_item
from seqpipe.tables import (
    Runs,
    arrow_from_runs,
    check_names,
    check_steps_order,
    frame_from_runs,
    runs_from_arrow,
    runs_from_frame,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Sequences"]


class Sequences:
    """Sequences of unequal length, stored as one matrix of time steps and the offsets between sequences.

    This is Arrow's list layout. Slicing, splitting, pickling and hashing take time proportional to the number of
    bytes, not to the number of sequences, and scikit-learn's splitters, searches and joblib accept it like an
    array.

    Parameters
    ----------
    values : array of shape (total_steps, n_features) or (total_steps,)
        All time steps, one sequence after the other. float32 and float64 are kept, other real numbers become
        float64.
    offsets : array of int, shape (n_samples + 1,)
        Sequence ``i`` is ``values[offsets[i]:offsets[i + 1]]``; starts at 0, ends at total_steps, never
        decreases.
    feature_names : sequence of str, optional
        One name per column of ``values``.
    ids : array of shape (n_samples,), optional
        Identifier of each sequence, quoted in error messages.
    element_shape : tuple of int, optional
        Shape of a step that is a tensor, such as (channels, height, width) of a frame; its product is n_features. Values
        may also be given in this shape, ``(total_steps, *element_shape)``, and are stored flattened.

    Raises
    ------
    InvalidSequencesError
        If the shapes of the arrays are inconsistent, or two features have the same name.

    Examples
    --------
    >>> from seqpipe.sequences import Sequences
    >>> two = Sequences.from_arrays([[[1.0], [2.0]], [[3.0], [4.0], [5.0]]])
    >>> two
    Sequences(n_samples=2, n_timesteps=2..3, n_features=1, dtype=float64)
    >>> two[1].ravel()
    array([3., 4., 5.])
    """

    __slots__ = ("element_shape", "feature_names", "ids", "offsets", "values")
    __hash__ = None  # type: ignore[assignment]

    _saved: ClassVar[dict[str, Schema]] = {
        "element_shape": optional(Items(Whole(), most=10)),
        "feature_names": optional(Items(TextOf())),
        "ids": optional(ArrayOf("biufUSMO", 1)),
        "offsets": ArrayOf("i", 1),
        "values": ArrayOf("f", 2),
    }
    #: To scikit-learn this is a one-dimensional array of n_samples items.
    ndim = 1

    def __init__(
        self,
        values: Any,
        offsets: Any,
        *,
        feature_names: Iterable[str] | None = None,
        ids: Any = None,
        element_shape: Iterable[int] | None = None,
    ) -> None:
        self.values, found = as_elements(values, "values")
        self.element_shape = found if element_shape is None else tuple(element_shape)
        self.offsets = offsets_of(offsets, n_rows=len(self.values))
        self.feature_names = None if feature_names is None else tuple(feature_names)
        self.ids = None if ids is None else np.asarray(ids)
        if self.feature_names is not None and len(self.feature_names) != self.n_features:
            raise InvalidSequencesError(
                f"{len(self.feature_names)} feature names for {self.n_features} features: give one per column."
            )
        check_names("feature_names", self.feature_names or ())
        if self.element_shape is not None and math.prod(self.element_shape) != self.n_features:
            raise InvalidSequencesError(
                f"element_shape {self.element_shape} holds {math.prod(self.element_shape)} numbers, a step has "
                f"{self.n_features}: give the shape of one step."
            )
        if self.ids is not None and self.ids.shape != (len(self),):
            raise InvalidSequencesError(
                f"ids of shape {self.ids.shape} for {len(self)} sequences: give one per sequence."
            )

    @classmethod
    def from_arrays(cls, arrays: Iterable[Any], *, dtype: DTypeLike | None = None, ids: Any = None) -> Sequences:
        """Create from arrays of shape (T_i, n_features), (T_i,) for one feature, or ``(T_i, *element_shape)`` for tensors.

        Raises
        ------
        InvalidSequencesError
            If an item is not numeric, has no time axis, an index of times that do not increase, or a different number
            of features or element shape.
        """
        arrays = [familiar_item(item, f"sample {i}") for i, item in enumerate(arrays)]
        check_steps_order(arrays)
        feature_names = _shared_columns(arrays)
        elements = [as_elements(item, f"sample {i}", dtype) for i, item in enumerate(arrays)]
        matrices, shapes = [m for m, _ in elements], [shape for _, shape in elements]
        widths = np.array([m.shape[1] for m in matrices if len(m)] or [m.shape[1] for m in matrices[:1]])
        if len(widths) and (widths != widths[0]).any():
            i = next(i for i, m in enumerate(matrices) if len(m) and m.shape[1] != widths[0])
            raise InvalidSequencesError(
                f"Sample {i} has {matrices[i].shape[1]} features where the first has {widths[0]}: "
                "every sequence must be of shape (n_timesteps, n_features) with the same n_features."
            )
        n_features = int(widths[0]) if len(widths) else 1
        element_shape = _shared_shape(matrices, shapes)
        matrices = [m if m.shape[1] == n_features else m.reshape(0, n_features) for m in matrices]
        lengths = np.array([len(m) for m in matrices], dtype=np.int64)
        values = np.concatenate(matrices) if matrices else np.empty((0, n_features))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return cls(values, offsets, feature_names=feature_names, ids=ids, element_shape=element_shape)

    @classmethod
    def from_padded(cls, array: Any, lengths: Any = None, *, feature_names: Iterable[str] | None = None) -> Sequences:
        """Create from a padded array (n_samples, n_timesteps, n_features) or ``(n_samples, n_timesteps, *element_shape)``.

        Steps from ``lengths`` on are padding and are removed. Without lengths every step is valid, and a contiguous
        array is not copied.

        Raises
        ------
        InvalidSequencesError
            If the array has fewer than three dimensions, or the lengths are not n_samples integers from 0 to
            n_timesteps.
        """
        array = np.asarray(array)
        if array.ndim < 3:
            raise InvalidSequencesError(
                f"A padded array has shape (n_samples, n_timesteps, n_features), got {array.shape}: "
                "add the missing axis, for one feature with array[:, :, None]."
            )
        n_samples, n_timesteps, *element = array.shape
        if lengths is None:
            rows = array.reshape(n_samples * n_timesteps, *element)
            return cls(rows, np.arange(n_samples + 1) * n_timesteps, feature_names=feature_names)
        lengths = checked_lengths(lengths, n_samples, n_timesteps)
        valid = np.arange(n_timesteps) < lengths[:, None]
        return cls(array[valid], np.concatenate([[0], np.cumsum(lengths)]), feature_names=feature_names)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        by: str,
        order: str | None = None,
        features: Sequence[str] | None = None,
    ) -> Sequences:
        """Create from a long pandas, polars or pyarrow table; see :func:`seqpipe.sequences.sequences_from_frame`."""
        table = familiar(frame, "frame")
        return cls(**vars(runs_from_frame(table, by=by, order=order, features=features)))

    @classmethod
    def from_arrow(cls, array: pa.Array | pa.ChunkedArray) -> Sequences:
        """Create from an Arrow list array; see :func:`seqpipe.sequences.sequences_from_arrow`."""
        return cls(**vars(runs_from_arrow(array)))

    @property
    def shape(self) -> tuple[int]:
        """(n_samples,): one item per sequence."""
        return (len(self),)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of time steps of each sequence, shape (n_samples,)."""
        return np.diff(self.offsets)

    @property
    def n_features(self) -> int:
        """Number of columns of ``values``."""
        return int(self.values.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the values."""
        return self.values.dtype

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for i in range(len(self)):
            yield self._steps(i)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):  # scikit-learn writes X[indices, ...]
            key = tuple(k for k in key if k is not Ellipsis)
            if len(key) != 1:
                raise IndexError("Sequences are indexed by sample only; index the array of one sample for its steps.")
            key = key[0]
        if isinstance(key, numbers.Integral):
            return self._steps(range(len(self))[int(key)])
        return self._take(np.arange(len(self))[key])

    def _steps(self, i: int) -> NDArray[Any]:
        steps = self.values[self.offsets[i] : self.offsets[i + 1]]
        return steps if self.element_shape is None else steps.reshape(len(steps), *self.element_shape)

    def _take(self, indices: NDArray[np.int64]) -> Sequences:
        lengths = self.lengths[indices]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.repeat(self.offsets[:-1][indices] - offsets[:-1], lengths) + np.arange(offsets[-1])
        ids = None if self.ids is None else self.ids[indices]
        return self._with(self.values[rows], offsets, ids)

    def _with(self, values: NDArray[Any], offsets: NDArray[np.int64], ids: NDArray[Any] | None) -> Sequences:
        return Sequences(values, offsets, feature_names=self.feature_names, ids=ids, element_shape=self.element_shape)

    def with_values(self, values: NDArray[Any]) -> Sequences:
        """Return the same sequences with new values of shape (total_steps, n_features)."""
        same = values.shape[1:] == (self.n_features,)
        names, shape = (self.feature_names, self.element_shape) if same else (None, None)
        return Sequences(values, self.offsets, feature_names=names, ids=self.ids, element_shape=shape)

    def astype(self, dtype: DTypeLike) -> Sequences:
        """Return the same sequences with values of the given data type; not copied if they already have it."""
        return self.with_values(self.values.astype(dtype, copy=False))

    @property
    def blocks(self) -> NDArray[Any] | None:
        """All sequences as one array of shape (n_samples, n_timesteps, n_features) if this needs no copy, else None."""
        lengths = self.lengths
        if not len(lengths) or (lengths != lengths[0]).any() or not self.values.flags.c_contiguous:
            return None
        return self.values.reshape(len(lengths), int(lengths[0]), self.n_features)

    def gather(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
        """Return a subset of sequences as one padded batch.

        Parameters
        ----------
        indices : array of int, shape (n,)
            Indices of the sequences.

        Returns
        -------
        batch : array of shape (n, longest, n_features)
            Padded with zeros after the end of each sequence.
        lengths : array of int, shape (n,), or None
            None if all have the same length.
        """
        starts = self.offsets[:-1][indices]
        lengths = self.offsets[1:][indices] - starts
        longest = int(lengths.max(initial=0))
        if (lengths == longest).all():
            return take_runs(self.values, starts, longest), None
        batch = np.zeros((len(indices), longest, self.n_features), dtype=self.dtype)
        valid = np.arange(longest) < lengths[:, None]
        batch[valid] = self.values[(starts[:, None] + np.arange(longest))[valid]]
        return batch, lengths

    def to_padded(self, pad_value: float = 0.0) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return an array of shape (n_samples, longest, n_features) and the lengths, shape (n_samples,).

        If steps are tensors, its shape is ``(n_samples, longest, *element_shape)``.
        """
        lengths = self.lengths
        longest = int(lengths.max(initial=0))
        padded = np.full((len(self), longest, self.n_features), pad_value, dtype=self.dtype)
        padded[np.arange(longest) < lengths[:, None]] = self.values
        return padded.reshape(len(self), longest, *(self.element_shape or padded.shape[2:])), lengths

    def to_frame(self, *, by: str = "id", order: str = "step") -> pd.DataFrame:
        """Return a long table, one row per time step; see :func:`seqpipe.sequences.frame_from_sequences`."""
        return frame_from_runs(Runs(self.values, self.offsets, self.ids, self.feature_names), by=by, order=order)

    def to_arrow(self) -> pa.Array:
        """Return an Arrow list array; see :func:`seqpipe.sequences.arrow_from_sequences`."""
        return arrow_from_runs(self.values, self.offsets)

    def describe(self, i: int, step: int | None = None, column: int | None = None) -> str:
        """Return a description of a position in the data, such as "sample 3 (id 'B7'), step 12, feature 'speed'"."""
        place = f"sample {i}" if self.ids is None else f"sample {i} (id {self.ids.tolist()[i]!r})"
        if step is not None:
            place += f", step {step}"
        if column is not None:
            place += f", feature {column if self.feature_names is None else repr(self.feature_names[column])}"
        return place

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if dtype is not None and np.dtype(dtype) != object:
            raise InvalidSequencesError(
                "Sequences of unequal length cannot become one numeric array: use to_padded(), or "
                "PadSequences in a Pipeline."
            )
        out = np.empty(len(self), dtype=object)
        for i, steps in enumerate(self):  # assigning all at once would stack sequences of equal length
            out[i] = steps
        return out

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequences):
            return NotImplemented
        return (
            np.array_equal(self.values, other.values, equal_nan=True)
            and np.array_equal(self.offsets, other.offsets)
            and self.feature_names == other.feature_names
            and self.element_shape == other.element_shape
            and _equal_ids(self.ids, other.ids)
        )

    def __repr__(self) -> str:
        lengths = self.lengths
        steps = f"{lengths.min()}..{lengths.max()}" if len(lengths) else "0"
        sizes = f"n_samples={len(self)}, n_timesteps={steps}, n_features={self.n_features}"
        element = "" if self.element_shape is None else f", element_shape={self.element_shape}"
        return f"Sequences({sizes}{element}, dtype={self.dtype})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # the contents of a file are not trusted: offsets could point outside


def _shared_shape(matrices: list[NDArray[Any]], shapes: list[tuple[int, ...] | None]) -> tuple[int, ...] | None:
    """Return the step shape shared by all sequences that have steps."""
    found = [(i, shape) for i, (matrix, shape) in enumerate(zip(matrices, shapes)) if len(matrix)]
    if not found:
        return next(iter(shapes), None)
    first = found[0][1]
    other = next(((i, shape) for i, shape in found if shape != first), None)
    if other is not None:
        raise InvalidSequencesError(
            f"The steps of sample {other[0]} have the shape {other[1] or '(n_features,)'} where those of the first have "
            f"{first or '(n_features,)'}: all steps must have the same shape."
        )
    return first


def _equal_ids(ids: NDArray[Any] | None, others: NDArray[Any] | None) -> bool:
    if ids is None or others is None:
        return ids is others
    return np.array_equal(ids, others)


def _shared_columns(frames: list[Any]) -> tuple[str, ...] | None:
    """Return the columns that all items share, in the same order, if they are DataFrames with string column names."""
    names = [tuple(frame.columns) for frame in frames if hasattr(frame, "columns")]
    if not names or not all(isinstance(name, str) for name in names[0]):
        return None
    i = next((i for i, other in enumerate(names) if other != names[0]), None)
    if i is not None or len(names) != len(frames):
        other = "no columns" if i is None else f"the columns {list(names[i])}"
        raise InvalidSequencesError(
            f"A sequence has {other} where the first has {list(names[0])}: all must have the same, in the same order."
        )
    return names[0]
