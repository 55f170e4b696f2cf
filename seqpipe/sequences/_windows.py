"""`Windows`: overlapping windows of a series, stored as views without copies."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.saved import LONGEST, ArrayOf, Items, Schema, TextOf, Whole, optional
from seqpipe.sequences._arrays import as_matrix, offsets_of, take_runs

__all__ = ["Windows"]


class Windows:
    """Windows of equal length over one base matrix, each a sample; created by :func:`seqpipe.make_windows`.

    Indexing by samples only selects starts, so that splits and folds are cheap; a batch is gathered when
    it is needed.

    Parameters
    ----------
    base : array of shape (n_rows, n_features)
        The series, or several series concatenated along time.
    starts : array of int, shape (n_samples,)
        First row of each window.
    window : int
        Length of a window, in time steps.
    horizon : int, default=1
        Number of time steps after the window that its target spans; splitters keep overlapping targets apart.
    offsets : array of int, shape (n_series + 1,), optional
        First row of each series, followed by the number of rows; one series by default.
    feature_names : sequence of str, optional
        One name per column.

    Raises
    ------
    InvalidSequencesError
        If a window would extend beyond its series.
    """

    __slots__ = ("base", "feature_names", "horizon", "offsets", "starts", "window")
    __hash__ = None  # type: ignore[assignment]
    _saved: ClassVar[dict[str, Schema]] = {
        "base": ArrayOf("f", 2),
        "feature_names": optional(Items(TextOf())),
        "horizon": Whole(0, LONGEST),
        "offsets": ArrayOf("i", 1),
        "starts": ArrayOf("i", 1),
        "window": Whole(1, LONGEST),
    }

    ndim = 3

    def __init__(
        self,
        base: Any,
        starts: Any,
        window: int,
        *,
        horizon: int = 1,
        offsets: Any = None,
        feature_names: Iterable[str] | None = None,
    ) -> None:
        self.base = as_matrix(base, "base")
        self.starts = np.asarray(starts, dtype=np.int64)
        self.window = int(window)
        self.horizon = int(horizon)
        self.offsets = offsets_of([0, len(self.base)] if offsets is None else offsets, n_rows=len(self.base))
        self.feature_names = None if feature_names is None else tuple(feature_names)
        if self.window < 1 or self.horizon < 0:
            raise InvalidSequencesError(f"window must be at least 1 and horizon 0, got {window} and {horizon}.")
        if self.feature_names is not None and len(self.feature_names) != self.n_features:
            raise InvalidSequencesError(
                f"{len(self.feature_names)} feature names for {self.n_features} features: give one per column."
            )
        self._check_inside()

    def _check_inside(self) -> None:
        one = len(self.offsets) == 2  # then the end is known without an array as long as the starts
        ends = self.offsets[-1:] if one else self.offsets[np.clip(self.series + 1, 0, len(self.offsets) - 1)]
        outside = np.flatnonzero((self.starts < 0) | (self.starts + self.window > ends))
        if len(outside):
            i = int(outside[0])
            raise InvalidSequencesError(
                f"The window of {self.window} rows from row {self.starts[i]} extends beyond its series, which ends "
                f"at row {ends[0 if one else i]}."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n_samples, window, n_features)."""
        return (len(self.starts), self.window, self.n_features)

    @property
    def n_features(self) -> int:
        """Number of columns of the base."""
        return int(self.base.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the values."""
        return self.base.dtype

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            key = tuple(k for k in key if k is not Ellipsis)
            if len(key) != 1:
                return np.asarray(self)[key]
            key = key[0]
        if isinstance(key, numbers.Integral):
            start = self.starts[int(key)]
            return self.base[start : start + self.window]
        return self._with(self.base, self.starts[key], self.feature_names)

    def _with(self, base: NDArray[Any], starts: NDArray[np.int64], names: tuple[str, ...] | None) -> Windows:
        return Windows(
            base,
            starts,
            self.window,
            horizon=self.horizon,
            offsets=self.offsets,
            feature_names=names,
        )

    def with_base(self, base: NDArray[Any]) -> Windows:
        """Return the same windows over another base with the same number of rows; names are kept if its width is."""
        names = self.feature_names if base.shape[1] == self.n_features else None
        return self._with(base, self.starts, names)

    def astype(self, dtype: DTypeLike) -> Windows:
        """Return the same windows with values of the given data type; not copied if they already have it."""
        return self.with_base(self.base.astype(dtype, copy=False))

    def gather(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], None]:
        """Return a subset of windows as an array (n, window, n_features), and None for the lengths, which are equal."""
        return take_runs(self.base, self.starts[indices], self.window), None

    @property
    def series(self) -> NDArray[np.int64]:
        """Index of the series of each window, shape (n_samples,)."""
        return np.searchsorted(self.offsets, self.starts, side="right") - 1

    @property
    def first_target_rows(self) -> NDArray[np.int64]:
        """Base row of each window's first target, shape (n_samples,); the last row of the window if horizon is 0."""
        return self.starts + self.window - (self.horizon == 0)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Base rows that are covered by at least one window, in order."""
        change = np.zeros(len(self.base) + 1, dtype=np.int64)
        np.add.at(change, self.starts, 1)
        np.add.at(change, self.starts + self.window, -1)
        return np.flatnonzero(np.cumsum(change[:-1]))

    def describe(self, row: int, column: int) -> str:
        """Return a description of a position in the base, such as "row 12 of the series, feature 'speed'"."""
        found = int(np.searchsorted(self.offsets, row, side="right")) - 1
        series = "the series" if len(self.offsets) == 2 else f"series {found}"
        name = column if self.feature_names is None else repr(self.feature_names[column])
        return f"row {row - self.offsets[found]} of {series}, feature {name}"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return self.gather(np.arange(len(self)))[0].astype(dtype or self.dtype, copy=False)

    def __repr__(self) -> str:
        n_samples, window, n_features = self.shape
        return f"Windows(n_samples={n_samples}, window={window}, n_features={n_features}, dtype={self.dtype})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # the contents of a file are not trusted: starts could point outside
