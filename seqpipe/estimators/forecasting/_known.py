"""What a forecaster keeps of a series: its end, from which forecasts are made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqpipe.estimators.forecasting._changes import Changes
from seqpipe.estimators.forecasting._observed import Observed
from seqpipe.saved import ArrayOf, Instance, Schema
from seqpipe.tables import LastTimes

__all__ = ["Known"]

Array = NDArray[np.float64]

#: A deviation below this fraction of the values is rounding error.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Known:
    """The known rows of a series, and the scale of its changes.

    Attributes
    ----------
    series : array of shape (n_timesteps, n_outputs)
        Values of the series; after a fit only the last ones.
    exogenous : array of shape (n_timesteps, n_features)
        Exogenous variables at these steps.
    mean, scale : array of shape (n_outputs,)
        Mean and standard deviation of the changes of the training data.
    times : LastTimes
        The last times.
    """

    series: Array
    exogenous: Array
    mean: Array
    scale: Array
    times: LastTimes
    _saved: ClassVar[dict[str, Schema]] = {
        "series": ArrayOf("f", 2),
        "exogenous": ArrayOf("f", 2),
        "mean": ArrayOf("f", 1),
        "scale": ArrayOf("f", 1),
        "times": Instance(LastTimes),
    }

    @classmethod
    def of(cls, observed: Observed, changes: Changes) -> Self:
        """Create from all rows of a training series."""
        found = changes.of(observed.series)
        mean, deviation = found.mean(axis=0), found.std(axis=0)
        constant = deviation <= _ROUNDING * np.abs(found).max(axis=0, initial=0)
        scale = np.where(constant, 1.0, deviation)
        return cls(observed.series, observed.exogenous, mean, scale, LastTimes.of(observed.index))

    def modelled(self, changes: Changes) -> tuple[Array, Array]:
        """Return the scaled changes, and the exogenous variables of the same steps."""
        return (changes.of(self.series) - self.mean) / self.scale, self.exogenous[changes.n_lost :]

    def levels(self, forecast: Array, changes: Changes) -> Array:
        """Return the levels that a forecast of scaled changes, shape (n_steps, n_outputs), leads to."""
        return changes.levels(self.series, forecast * self.scale + self.mean)

    def followed_by(self, observed: Observed) -> Known:
        """Return what is known once rows have followed."""
        series = np.concatenate([self.series, observed.series])
        exogenous = np.concatenate([self.exogenous, observed.exogenous])
        return replace(self, series=series, exogenous=exogenous, times=self.times.then(LastTimes.of(observed.index)))

    def last(self, n_rows: int) -> Known:
        """Return the same without the rows before the last ones."""
        return replace(self, series=self.series[-n_rows:].copy(), exogenous=self.exogenous[-n_rows:].copy())

    def before(self, n_rows: int) -> Known:
        """Return what was known before the last rows."""
        end = len(self.series) - n_rows
        return replace(self, series=self.series[:end], exogenous=self.exogenous[:end])
