"""Windows of one or several series, with the steps that follow each as its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqpipe.estimators.forecasting._changes import Changes, spread
from seqpipe.estimators.forecasting._known import Known
from seqpipe.sequences import Sequences, Windows
from seqpipe.transformers import make_windows

__all__ = ["ForecastSamples", "forecast_samples", "with_leads"]

Array = NDArray[np.float64]

#: Share of the windows of each series that are held out to compare forecasts.
_HELD_OUT = 0.2
#: Fewest windows to fit to before these.
_FEWEST = 10


@dataclass(frozen=True)
class ForecastSamples:
    """Windows and their targets.

    Attributes
    ----------
    windows : Windows of shape (n_windows, window, n_columns)
        The columns of the series, then the exogenous variables of the following steps.
    targets : array of shape (n_windows, n_steps * n_outputs)
        The steps that follow each window, the outputs of the first step first.
    n_outputs : int
        Number of columns of the series.
    n_of_series : array of int, shape (n_series,)
        Number of windows of each series.
    units : array of shape (n_series, n_outputs)
        Scale of the changes of each series in units of the scale of its levels.
    """

    windows: Windows
    targets: Array
    n_outputs: int
    n_of_series: NDArray[np.int64]
    units: Array

    @property
    def n_steps(self) -> int:
        """Number of time steps of a target."""
        return self.targets.shape[1] // self.n_outputs

    def level_errors(self, rows: NDArray[np.intp], errors: Array, changes: Changes) -> Array:
        """Return the errors of the levels of the series, in units of their scale.

        Parameters
        ----------
        rows : array of int, shape (n,)
            Indices of windows.
        errors : array of shape (n, n_steps * n_outputs)
            Errors of their targets.
        changes : Changes
            What the targets are of the series.
        """
        units = np.repeat(self.units, self.n_of_series, axis=0)[rows, None]
        return changes.summed_errors(errors.reshape(len(rows), self.n_steps, self.n_outputs) * units)

    def split(self) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
        """Return the indices of windows to fit to, and of the last ones of each series to compare forecasts on.

        The targets of the former end where those of the latter begin. None if there are too few.
        """
        early, late = [], []
        for start, n in zip(np.cumsum(self.n_of_series) - self.n_of_series, self.n_of_series):
            n_late = max(self.n_steps, round(_HELD_OUT * n))
            early.append(np.arange(start, start + max(n - n_late - self.n_steps + 1, 0)))
            late.append(np.arange(start + max(n - n_late, 0), start + n))
        indices = np.concatenate(early), np.concatenate(late)
        return indices if len(indices[0]) >= _FEWEST else None


def forecast_samples(known: Sequence[Known], changes: Changes, *, window: int, n_steps: int) -> ForecastSamples:
    """Return the samples of several series.

    Parameters
    ----------
    known : sequence of Known
        All rows of each series.
    changes : Changes
        What is modelled of them.
    window : int
        Length of a window, in time steps.
    n_steps : int
        Number of time steps of a target.
    """
    series, exogenous = zip(*(each.modelled(changes) for each in known))
    tables = [with_leads(each, ahead, n_steps) for each, ahead in zip(series, exogenous)]
    offsets = np.concatenate([[0], np.cumsum([len(table) for table in tables])])
    X, y = Sequences(np.concatenate(tables), offsets), Sequences(np.concatenate(list(series)), offsets)
    windows, targets, _ = make_windows(X, y, window=window, horizon=n_steps)
    n_of_series = np.diff(offsets) - window - n_steps + 1
    units = np.stack([each.scale / spread([Changes(changes.transformation).of(each.series)]) for each in known])
    return ForecastSamples(windows, targets.reshape(len(windows), -1), y.n_features, n_of_series, units)


def with_leads(series: Array, exogenous: Array, n_steps: int) -> Array:
    """Concatenate to each row of the series the exogenous variables of the next ``n_steps`` time steps.

    Parameters
    ----------
    series : array of shape (…, n_timesteps, n_outputs)
        Rows of series.
    exogenous : array of shape (…, n_rows, n_features)
        Exogenous variables of these steps, and of those that follow as far as they are known.
    n_steps : int
        Number of time steps.
    """
    if not exogenous.shape[-1]:
        return series
    rows = np.arange(series.shape[-2])[:, None] + np.arange(1, n_steps + 1)
    leads = exogenous[..., np.minimum(rows, exogenous.shape[-2] - 1), :]
    return np.concatenate([series, leads.reshape(*series.shape[:-1], -1)], axis=-1)
