"""Plot forecasts beside the true values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from seqpipe.diagnostics._series_of_panels import longest, series_in, title_of
from seqpipe.diagnostics._style import INK, PALETTE, LineEnd, label_ends, shorten
from seqpipe.diagnostics._time_panels import (
    MOST_PANELS,
    panels_for,
    positions,
    style_panel,
    write_legend,
    write_title,
)

__all__ = ["plot_forecast"]

_TAIL = 4


def plot_forecast(
    history: pd.Series | pd.DataFrame, truth: pd.Series | pd.DataFrame, forecasts: Mapping[str, ArrayLike]
) -> Figure:
    """Plot the end of a series, its true continuation and forecasts, with one panel per column, at most twelve.

    Of data with a MultiIndex of ids and times, there is one panel per id and column.

    Parameters
    ----------
    history : Series or DataFrame of shape (n_timesteps, n_columns)
        Series before the forecasts; the last steps are drawn, four times as many as were forecast.
    truth : Series or DataFrame of shape (n_steps, n_columns)
        True continuation, with an index that continues that of ``history``.
    forecasts : mapping of str to array-like of shape (n_steps,) or (n_steps, n_columns)
        Forecasts of the rows of ``truth`` by name; the first is emphasised.

    Returns
    -------
    matplotlib.figure.Figure
        900 pixels wide.

    Raises
    ------
    ValueError
        If the shape of a forecast differs from that of ``truth``.
    """
    history, truth = pd.DataFrame(history), pd.DataFrame(truth)
    values = {name: _shaped(name, forecast, truth) for name, forecast in forecasts.items()}
    before, after = series_in(history), series_in(truth)
    ahead = {name: series_in(forecast) for name, forecast in values.items()}
    keys = list(after)[:MOST_PANELS]
    figure, panels = panels_for(len(keys))
    for i, (axes, key) in enumerate(zip(panels, keys)):
        tail = before[key].iloc[-max(_TAIL * len(after[key]), 12) :]
        drawn = {name: forecast[key].to_numpy() for name, forecast in ahead.items()}
        ends = _draw(axes, tail, after[key], drawn)
        style_panel(axes, i, len(keys), title=title_of(truth, key), index=after[key].index)
        if len(keys) == 1:
            label_ends(axes, ends)
    if len(keys) > 1:
        write_legend(figure, panels[0])
    write_title(figure, f"Forecast of {longest(after)} steps", len(keys), len(after))
    return figure


def _shaped(name: str, forecast: ArrayLike, truth: pd.DataFrame) -> pd.DataFrame:
    array = np.asarray(forecast, dtype=np.float64)
    if array.size != truth.size or len(array) != len(truth):
        raise ValueError(
            f"The forecast {name!r} of shape {array.shape} must have the shape of the truth, {truth.shape}."
        )
    return pd.DataFrame(array.reshape(truth.shape), index=truth.index, columns=truth.columns)


def _draw(axes: Axes, tail: pd.Series, truth: pd.Series, forecasts: Mapping[str, NDArray[np.float64]]) -> list[LineEnd]:
    """Plot one column and return the ends of its lines."""
    x, ahead = positions(tail.index, truth.index)
    last = tail.to_numpy(dtype=np.float64)[-1:]
    joined = np.concatenate([x[-1:], ahead])
    axes.axvspan(joined[0], joined[-1], color="#f4f4f4", zorder=0, linewidth=0)
    axes.plot(x, tail.to_numpy(dtype=np.float64), color=INK, linewidth=1.2, label="history")
    lines = {"truth": (truth.to_numpy(dtype=np.float64), INK, 1.8, "-")}
    for i, (name, forecast) in enumerate(forecasts.items()):
        lines[name] = (forecast, PALETTE[i % len(PALETTE)], 2.0 if i == 0 else 1.2, "-" if i == 0 else "--")
    for name, (values, colour, width, style) in lines.items():
        marker = "o" if len(values) <= 24 and name == "truth" else None
        axes.plot(
            joined, np.concatenate([last, values]), color=colour, linewidth=width, linestyle=style,
            label=shorten(name, lines=1), marker=marker, markersize=3,
        )  # fmt: skip
    return [LineEnd(shorten(name), joined[-1], float(line[0][-1]), line[1]) for name, line in lines.items()]
