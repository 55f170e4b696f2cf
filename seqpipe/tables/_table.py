"""A table with column roles that knows the position of each row in its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.tables._roles import Roles

__all__ = ["Table", "others"]


@dataclass(frozen=True)
class Table:
    """Rows of numbers and text.

    Attributes
    ----------
    frame : DataFrame
        The rows. Its index is named "line" and counts the lines of a CSV file, or "row" and counts rows from 1.
    roles : Roles
        Roles of its columns.
    source : str
        Name of the file or data set.
    numeric_targets : bool
        Whether the targets are numbers, whose missing values may be interpolated, unlike those of labels.
    """

    frame: pd.DataFrame
    roles: Roles
    source: str
    numeric_targets: bool = False

    @classmethod
    def of(cls, frame: pd.DataFrame, roles: Roles, source: str) -> Table:
        """Create a table from a frame that was read from ``source``, or from rows of a table."""
        if frame.index.name not in ("line", "row"):
            frame = frame.set_axis(pd.RangeIndex(1, len(frame) + 1, name="row"))
        return cls(frame, roles, source)

    @property
    def codes(self) -> NDArray[np.intp]:
        """Index of the sequence of each row, in order of appearance; all 0 without ids."""
        if self.roles.id is None:
            return np.zeros(len(self.frame), dtype=np.intp)
        return pd.factorize(self.frame[self.roles.id])[0]

    @property
    def is_long(self) -> bool:
        """Whether the roles declare a row to be a time step."""
        return self.roles.id is not None or self.roles.time is not None

    @property
    def value_columns(self) -> list[str]:
        """Named features and targets."""
        return [*(self.roles.features or ()), *self.roles.target]

    @property
    def fillable_columns(self) -> list[str]:
        """The `value_columns` whose missing values may be filled."""
        return self.value_columns if self.numeric_targets else list(self.roles.features or ())

    def take(self, order: NDArray[Any]) -> Table:
        """Return the rows at the given positions, in that order."""
        if np.array_equal(order, np.arange(len(self.frame))):
            return self
        return replace(self, frame=self.frame.iloc[order])

    def with_column(self, name: str, values: pd.Series) -> Table:
        """Return the table with one column replaced."""
        return self.with_columns({name: values})

    def with_columns(self, values: Mapping[str, Any]) -> Table:
        """Return the table with several columns replaced."""
        columns = {name: values.get(name, self.frame[name]) for name in self.frame.columns}
        return replace(self, frame=pd.DataFrame(columns, index=self.frame.index))

    def place(self, row: int) -> str:
        """Return a description of the position of a row: file and line, and the id."""
        index = self.frame.index
        where = f"{self.source}:{index[row]}" if index.name == "line" else f"{self.source}, row {index[row]}"
        if self.roles.id is None or pd.isna(self.frame[self.roles.id].iloc[row]):
            return where
        return f"{where} (id {self.frame[self.roles.id].iloc[row]})"


def others(number: int) -> str:
    """Return " (and 3 more)" for a ``number`` of 4 items of which one has been named."""
    return f" (and {number - 1:,} more)" if number > 1 else ""
