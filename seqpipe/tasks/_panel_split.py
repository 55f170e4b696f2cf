"""Cross-validation of forecasts of panels: each series is split in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, TimeSeriesSplit

from seqpipe.tables import rows_by_id

__all__ = ["PanelSplit"]


class PanelSplit(BaseCrossValidator):
    """Split the rows of each series of a panel as `TimeSeriesSplit` does, into equally many folds.

    Parameters
    ----------
    n_splits : int
        Number of folds.
    test_size : int, optional
        Number of test rows per series and fold; by default folds of a series have equal lengths.
    """

    def __init__(self, n_splits: int, *, test_size: int | None = None) -> None:
        self.n_splits = n_splits
        self.test_size = test_size

    def split(
        self, X: pd.DataFrame, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the positions of the training rows, and of the test rows that follow them in each series.

        Raises
        ------
        ValueError
            If a series has too few rows; the message names it.
        """
        rows = rows_by_id(X)
        folds = zip(*(self._folds(id, each) for id, each in rows.items()))
        for fold in folds:
            train, test = zip(*fold)
            yield np.concatenate(train), np.concatenate(test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.n_splits

    def _folds(self, id: Any, rows: NDArray[np.intp]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        inner = TimeSeriesSplit(self.n_splits, test_size=self.test_size)
        try:
            return [(rows[train], rows[test]) for train, test in inner.split(rows)]
        except ValueError as error:
            raise ValueError(f"Series {id!r}: {error}") from error
