"""Cross-validation of windows in which no target row is in both the training and the test set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.saved import Flag, Schema, Whole
from seqpipe.sequences import Windows
from seqpipe.transformers._parameters import check_integer

__all__ = ["WindowSplit"]


class WindowSplit(BaseCrossValidator):
    """Split `Windows` into blocks of time, and purge training windows that share target rows with the test set.

    Overlapping windows share targets, so that shuffled folds leak test targets into training: on white noise they
    can yield an R² of 0.8. Each block of consecutive windows is the test set once; training windows that share a
    target row with it are left out. With several series, each is divided at the same fractions of its
    windows, and a test set consists of one block of each.

    Parameters
    ----------
    n_splits : int, default=5
        Number of test blocks.
    expanding : bool, default=True
        If True, the training set consists of the blocks before the test block, as in forecasting, and the first block
        is never a test set. If False, it consists of all blocks before and after the test block.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe.transformers import WindowSplit, make_windows
    >>> windows, targets, starts = make_windows(np.arange(12.0), window=3, horizon=2)
    >>> for train, test in WindowSplit(3).split(windows):
    ...     print(train, test)
    [0] [2 3]
    [0 1 2] [4 5]
    [0 1 2 3 4] [6 7]
    """

    _saved: ClassVar[dict[str, Schema]] = {"expanding": Flag(), "n_splits": Whole(1, 10_000)}

    def __init__(self, n_splits: int = 5, *, expanding: bool = True) -> None:
        self.n_splits = n_splits
        self.expanding = expanding

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of test blocks; all arguments are ignored."""
        return self.n_splits

    def split(
        self, X: Windows, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the indices of the training and test samples, block by block in order of time.

        Parameters
        ----------
        X : Windows
            In any order; duplicates of a window are never in both sets.
        y, groups : object
            Ignored.

        Raises
        ------
        InvalidSequencesError
            If X is not `Windows`, there are too few windows, or purging leaves no training samples.
        """
        check_integer("WindowSplit", "n_splits", self.n_splits, minimum=1 if self.expanding else 2)
        if not isinstance(X, Windows):
            raise InvalidSequencesError(
                f"WindowSplit splits the Windows that make_windows returns. Got {type(X).__name__} instead: "
                "for rows in order of time use sklearn.model_selection.TimeSeriesSplit(gap=horizon - 1)."
            )
        n_blocks = self.n_splits + self.expanding
        blocks = _blocks(X, n_blocks)
        for block in range(n_blocks - self.n_splits, n_blocks):
            test = blocks == block
            train = (blocks < block if self.expanding else blocks != block) & ~_touches(X, test)
            self._check_not_empty(X, int(test.sum()), int(train.sum()), block)
            yield np.flatnonzero(train), np.flatnonzero(test)

    def _check_not_empty(self, X: Windows, n_test: int, n_train: int, block: int) -> None:
        if not n_test or not n_train:
            raise InvalidSequencesError(
                f"{len(X)} windows with a horizon of {X.horizon} leave {n_train} training and {n_test} test "
                f"windows in block {block} of WindowSplit({self.n_splits}): choose fewer splits, a shorter "
                "horizon, or a smaller stride."
            )


def _blocks(X: Windows, n_blocks: int) -> NDArray[np.int64]:
    """Return the block of each window: blocks divide the windows of each series into equal parts, in order of time."""
    order = np.lexsort((X.starts, X.series))
    series = X.series[order]
    counts = np.bincount(series, minlength=len(X.offsets) - 1)
    before = np.cumsum(counts) - counts
    blocks = np.empty(len(X), dtype=np.int64)
    blocks[order] = (np.arange(len(X)) - before[series]) * n_blocks // counts[series]
    return blocks


def _touches(X: Windows, test: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which windows share a target row with a test window."""
    begins = X.first_target_rows
    ends = begins + max(X.horizon, 1)
    change = np.zeros(max(len(X.base), ends.max(initial=0)) + 1, dtype=np.int64)
    np.add.at(change, begins[test], 1)
    np.add.at(change, ends[test], -1)
    tested_before = np.concatenate([[0], np.cumsum(np.cumsum(change) > 0)])
    return np.asarray(tested_before[ends] > tested_before[begins])
