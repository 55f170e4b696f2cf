"""Plot forecasts from successive origins, with bands of their errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from seqpipe.diagnostics._series_of_panels import Key, longest, series_in, title_of
from seqpipe.diagnostics._style import GREY, INK, PALETTE
from seqpipe.diagnostics._time_panels import (
    MOST_PANELS,
    panels_for,
    positions,
    style_panel,
    write_legend,
    write_title,
)

__all__ = ["plot_forecast_fan"]

_MOST_LINES = 12
_FEWEST_ERRORS = 5
_BANDS = ((10, 90, 0.15), (25, 75, 0.25))


def plot_forecast_fan(
    history: pd.Series | pd.DataFrame,
    truth: pd.Series | pd.DataFrame,
    forecasts: ArrayLike | Mapping[Any, ArrayLike],
) -> Figure:
    """Plot forecasts from successive origins, the last one with bands of the errors of earlier ones.

    The bands are the middle 50 % and 80 % of the errors of the earlier forecasts at the same distance; with fewer than
    five earlier forecasts they are omitted. There is one panel per column,
    of data with a MultiIndex of ids and times one per id and column, at most twelve; at most twelve earlier forecasts
    are drawn.

    Parameters
    ----------
    history : Series or DataFrame of shape (n_timesteps, n_columns)
        Series before the first origin; its last steps are drawn.
    truth : Series or DataFrame of shape (n_steps, n_columns)
        True continuation, with an index that continues that of ``history``.
    forecasts : array-like of shape (n_origins, horizon) or (n_origins, horizon, n_columns), or mapping of id to these
        Forecasts as returned by `Forecaster.backtest`: row i is made after the first i steps of ``truth``, and
        ``n_origins + horizon - 1 == n_steps``.

    Returns
    -------
    matplotlib.figure.Figure
        900 pixels wide.

    Raises
    ------
    ValueError
        If the shape of the forecasts does not match the truth.
    """
    history, truth = pd.DataFrame(history), pd.DataFrame(truth)
    before, after = series_in(history), series_in(truth)
    fans = _fans(forecasts, after, truth.shape[1])
    keys = list(after)[:MOST_PANELS]
    figure, panels = panels_for(len(keys))
    for i, (axes, key) in enumerate(zip(panels, keys)):
        tail = before[key].iloc[-max(len(after[key]), 12) :]
        _draw(axes, tail, after[key], fans[key])
        style_panel(axes, i, len(keys), title=title_of(truth, key), index=after[key].index)
    write_legend(figure, panels[0])
    n_steps = next(iter(fans.values())).shape[1]
    write_title(figure, f"Forecasts of {n_steps} steps from {longest(fans)} origins", len(keys), len(after))
    return figure


def _fans(
    forecasts: ArrayLike | Mapping[Any, ArrayLike], truth: Mapping[Key, pd.Series], n_columns: int
) -> dict[Key, NDArray[np.float64]]:
    """Return the forecasts of each series, shape (n_origins, horizon)."""
    by_id = forecasts if isinstance(forecasts, Mapping) else {None: forecasts}
    ids = list(dict.fromkeys(id for id, _ in truth))
    if set(by_id) != set(ids):
        raise ValueError(f"forecasts must have the series of the truth, {ids}. Got {list(by_id)} instead.")
    fans = {id: _shaped(by_id[id], (len(truth[id, 0]), n_columns)) for id in ids}
    return {(id, i): fans[id][:, :, i] for id, i in truth}


def _shaped(forecasts: ArrayLike, truth: tuple[int, int]) -> NDArray[np.float64]:
    fan = np.asarray(forecasts, dtype=np.float64)
    fan = fan[:, :, None] if fan.ndim == 2 else fan
    if fan.ndim != 3 or fan.shape[0] + fan.shape[1] - 1 != truth[0] or fan.shape[2] != truth[1]:
        raise ValueError(
            "forecasts must have the shape (n_origins, horizon, n_columns) with n_origins + horizon - 1 steps and the "
            f"columns of the truth, {truth}. Got {np.shape(forecasts)} instead."
        )
    return fan


def _draw(axes: Axes, tail: pd.Series, truth: pd.Series, fan: NDArray[np.float64]) -> None:
    x, ahead = positions(tail.index, truth.index)
    values = np.concatenate([tail.to_numpy(dtype=np.float64)[-1:], truth.to_numpy(dtype=np.float64)])
    at = np.concatenate([x[-1:], ahead])
    axes.plot(x, tail.to_numpy(dtype=np.float64), color=GREY, linewidth=1.2, label="history")
    axes.plot(at, values, color=INK, linewidth=1.8, label="truth", zorder=4)
    *earlier, last = range(len(fan))
    steps = fan.shape[1] + 1
    for n, i in enumerate(_evenly_spaced(earlier)):
        line = np.concatenate([values[i : i + 1], fan[i]])
        label = "earlier forecasts" if n == 0 else None
        axes.plot(at[i : i + steps], line, color=PALETTE[5], linewidth=1.0, label=label, zorder=3)
    line = np.concatenate([values[last : last + 1], fan[last]])
    axes.plot(at[last:], line, color=PALETTE[0], linewidth=2.0, label="last forecast", zorder=5)
    bands = _bands(fan, values[1:])
    for (low, high, alpha), band in zip(_BANDS, bands):
        edges = np.concatenate([np.full((2, 1), line[0]), line[1:] + band], axis=1)
        label = f"{high - low} % of earlier errors"
        axes.fill_between(at[last:], *edges, color=PALETTE[0], alpha=alpha, linewidth=0, zorder=2, label=label)


def _evenly_spaced(origins: list[int]) -> list[int]:
    """Return at most twelve of the origins, evenly spaced."""
    every = -(-len(origins) // _MOST_LINES) or 1
    return origins[::-1][every - 1 :: every][::-1]


def _bands(fan: NDArray[np.float64], truth: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return quantiles, shape (2, horizon), of the errors of the earlier forecasts at each distance."""
    last, horizon = len(fan) - 1, fan.shape[1]
    if last < _FEWEST_ERRORS:
        return []
    errors = np.array([truth[k : k + last] - fan[:last, k] for k in range(horizon)])
    return [np.percentile(errors, [low, high], axis=1) for low, high, _ in _BANDS]
