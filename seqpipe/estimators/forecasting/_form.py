"""The form of a forecast: that of the series that a forecaster was fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.saved import Items, Plain, Schema, TextOf, Whole, optional
from seqpipe.tables import id_levels

__all__ = ["Form"]


@dataclass(frozen=True)
class Form:
    """How forecasts are returned.

    Attributes
    ----------
    kind : {"array", "series", "frame"}
        numpy or pandas.
    shape : tuple of int
        Shape of one time step: () or (n_outputs,).
    names : tuple
        Name of a Series, or columns of a DataFrame.
    ids : tuple or None
        Names of the levels that identify the series of a panel; None for a single series.
    """

    kind: Literal["array", "series", "frame"]
    shape: tuple[int, ...]
    names: tuple[Any, ...] = ()
    ids: tuple[Any, ...] | None = None
    _saved: ClassVar[dict[str, Schema]] = {
        "kind": TextOf(among=("array", "series", "frame")),
        "shape": Items(Whole(1), most=1),
        "names": Items(Plain()),
        "ids": optional(Items(Plain(), most=100)),
    }

    @classmethod
    def of(cls, series: Any, shape: tuple[int, ...]) -> Self:
        """Return the form of a series as it was passed to ``fit``."""
        if not isinstance(series, pd.Series | pd.DataFrame):
            return cls("array", shape)
        ids = id_levels(series.index) if isinstance(series.index, pd.MultiIndex) else None
        if isinstance(series, pd.Series):
            return cls("series", (), (series.name,), ids)
        return cls("frame", shape, tuple(series.columns), ids)

    def returned(self, forecasts: Mapping[Any, NDArray[np.float64]], index: Mapping[Any, pd.Index[Any]]) -> Any:
        """Return forecasts of shape (n_steps, n_outputs), by id, in this form.

        Parameters
        ----------
        forecasts : mapping of id to array of shape (n_steps, n_outputs)
            The forecasts; a single series has the id None.
        index : mapping of id to Index of length n_steps
            The times of the steps.
        """
        values = np.concatenate(list(forecasts.values()))
        values = values.reshape(len(values), *self.shape)
        if self.kind == "array":
            return values
        rows = self._index({id: index[id] for id in forecasts})
        if self.kind == "series":
            return pd.Series(values, index=rows, name=self.names[0])
        return pd.DataFrame(values, index=rows, columns=list(self.names))

    def _index(self, index: Mapping[Any, pd.Index[Any]]) -> pd.Index[Any]:
        if self.ids is None:
            return index[None]
        n_levels = len(self.ids)
        rows = [(*(id if n_levels > 1 else (id,)), time) for id, times in index.items() for time in times]
        return pd.MultiIndex.from_tuples(rows, names=[*self.ids, next(iter(index.values())).name])
