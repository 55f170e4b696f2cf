"""Choices that a forecaster leaves to the data: season, window and differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from seqpipe.estimators.forecasting._changes import Changes
from seqpipe.estimators.forecasting._observed import Observed
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import season_of

__all__ = ["CANDIDATE_LAGS", "best_of", "check_long_enough", "season_of_all", "window_for"]

#: Differences that ``difference="auto"`` tries: none, and those of consecutive steps.
CANDIDATE_LAGS: tuple[tuple[int, ...], ...] = ((), (1,))
#: Squared error that does not count, in units of the variance of the series.
_NEGLIGIBLE = 1e-4
#: Shortest window by default, in time steps, and its number of seasons.
_SHORTEST, _SEASONS = 24, 2


def best_of(errors: Sequence[float]) -> int:
    """Return the index of the smallest error; of the first one that differs from it by rounding only, or of 0 if none."""
    best = 0
    for i, error in enumerate(errors):
        if error < errors[best] - _NEGLIGIBLE:
            best = i
    return best


def check_long_enough(observed: Observed, changes: Changes, *, window: int, n_steps: int) -> None:
    """Raise `InvalidSequencesError` unless a series has a window and the ``n_steps`` time steps after it."""
    n_rows, need = len(observed.series), window + n_steps + changes.n_lost
    if n_rows < need:
        raise InvalidSequencesError(
            f"A series of n_samples={n_rows} time steps is too short for window={window} "
            f"and {n_steps} steps ahead{' after differencing' if changes.lags else ''}: at least "
            f"{need} are required. Pass a longer series, or lower window or horizon."
        )


def season_of_all(observed: Iterable[Observed], season: Any) -> int:
    """Return the number of time steps of a season: ``season``, with "auto" that of the dates, else 1."""
    if season != "auto":
        return int(season)
    return max(season_of(_dates(each.index)) for each in observed)


def window_for(lengths: Sequence[int], *, season: int, n_steps: int) -> int:
    """Return the default length of a window: two seasons, at least 24 time steps, and at most half of the shortest series.

    Parameters
    ----------
    lengths : sequence of int
        Number of time steps of each series, as modelled.
    season : int
        Number of time steps of a season.
    n_steps : int
        Number of time steps that are forecast at once.
    """
    most = (min(lengths) - n_steps) // 2
    return max(1, min(max(_SEASONS * season, _SHORTEST), most))


def _dates(index: Any) -> pd.Index[Any]:
    if isinstance(index, pd.PeriodIndex):
        return index.to_timestamp()
    return pd.RangeIndex(0) if index is None else index
