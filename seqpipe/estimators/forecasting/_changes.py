"""What a forecaster models of a series: its logarithm, its differences, and how forecasts become levels again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.saved import LONGEST, Items, Schema, TextOf, Whole, optional

__all__ = ["Changes", "lags_of"]

Array = NDArray[np.float64]


def lags_of(difference: Any) -> tuple[int, ...]:
    """Return the lags of a value of ``difference`` other than "auto"."""
    if isinstance(difference, bool | np.bool_):
        return (1,) if difference else ()
    lags = difference if isinstance(difference, list | tuple) else [difference]
    wrong = next(
        (lag for lag in lags if isinstance(lag, bool) or not isinstance(lag, int | np.integer) or lag < 1), None
    )
    if wrong is not None:
        raise ValueError(
            f"The 'difference' parameter of Forecaster must be 'auto', a bool, or lags in time steps, such as 12 or "
            f"[1, 12]. Got {difference!r} instead."
        )
    return tuple(int(lag) for lag in lags)


@dataclass(frozen=True)
class Changes:
    """The differences of a series, one lag after the other, after an optional logarithm.

    Attributes
    ----------
    transformation : "log" or None
        Applied to the values.
    lags : tuple of int
        Lags of the differences, in time steps.
    """

    transformation: Literal["log"] | None = None
    lags: tuple[int, ...] = ()
    _saved: ClassVar[dict[str, Schema]] = {
        "transformation": optional(TextOf(among=("log",))),
        "lags": Items(Whole(1, LONGEST), most=100),
    }

    @property
    def n_lost(self) -> int:
        """Number of rows at the beginning of a series that have no differences."""
        return sum(self.lags)

    def of(self, levels: Array) -> Array:
        """Return the changes of levels of shape (n_timesteps, n_outputs); the first `n_lost` rows have none."""
        return self._all(levels)[-1]

    def levels(self, known: Array, changes: Array) -> Array:
        """Return the levels that changes of shape (n_steps, n_outputs) lead to.

        Parameters
        ----------
        known : array of shape (n_timesteps, n_outputs)
            Levels before these steps, at least the last `n_lost`.
        changes : array of shape (n_steps, n_outputs)
            Forecast changes.
        """
        before = self._all(known[len(known) - self.n_lost :] if self.n_lost else known[:0])
        for lag, level in zip(reversed(self.lags), reversed(before[:-1])):
            changes = summed(changes, lag, level[len(level) - lag :])
        return np.exp(changes) if self.transformation == "log" else changes

    def summed_errors(self, errors: Array) -> Array:
        """Return errors of levels, given errors of changes of shape (n, n_steps, n_outputs)."""
        for lag in reversed(self.lags):
            start = np.zeros((lag, *errors.shape[:1], *errors.shape[2:]))
            errors = summed(errors.swapaxes(0, 1), lag, start).swapaxes(0, 1)
        return errors

    def check(self, levels: Array) -> None:
        """Raise `InvalidSequencesError` if a value has no logarithm."""
        if self.transformation == "log" and (levels <= 0).any():
            row, column = np.argwhere(levels <= 0)[0]
            raise InvalidSequencesError(
                f"transformation='log' requires positive values. Got {levels[row, column]} at time step {row}: use "
                "transformation=None, or add a constant to the series."
            )

    def _all(self, levels: Array) -> list[Array]:
        """Return the (transformed) levels, and their differences after each lag."""
        start = np.log(levels) if self.transformation == "log" else levels
        return list(accumulate(self.lags, _difference, initial=start))


def summed(changes: Array, lag: int, start: Array) -> Array:
    """Return x of x[t] = x[t - lag] + changes[t], given the ``lag`` rows before it."""
    n_steps = len(changes)
    padded = np.concatenate([changes, np.zeros((-n_steps % lag, *changes.shape[1:]))])
    seasons = padded.reshape(-1, lag, *changes.shape[1:])
    return (start + np.cumsum(seasons, axis=0)).reshape(padded.shape)[:n_steps]


def _difference(levels: Array, lag: int) -> Array:
    return levels[lag:] - levels[:-lag]


def spread(values: Sequence[Array]) -> Array:
    """Return the standard deviation of each column over all rows, 1 where it is zero."""
    found = np.concatenate(list(values)).std(axis=0)
    return np.where(found > 0, found, 1.0)
