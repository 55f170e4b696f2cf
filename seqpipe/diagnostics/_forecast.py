"""A series, what came after it, and what was forecast."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from seqpipe.diagnostics._style import (
    INK,
    PALETTE,
    LineEnd,
    dress,
    fitted,
    label_ends,
    new_figure,
    write_as_is,
)

__all__ = ["plot_forecast"]

_MOST_PANELS = 12
_TAIL = 4


def plot_forecast(
    history: pd.Series | pd.DataFrame, truth: pd.Series | pd.DataFrame, forecasts: Mapping[str, ArrayLike]
) -> Figure:
    """Draw the end of a series, what followed, and each forecast of it; one panel a column, twelve at most.

    Parameters
    ----------
    history : Series or DataFrame of shape (n_timesteps, n_columns)
        What the forecasts knew; its last steps are drawn, four times as many as were forecast.
    truth : Series or DataFrame of shape (n_steps, n_columns)
        What followed; its index goes on where that of ``history`` ends.
    forecasts : mapping of str to array-like of shape (n_steps,) or (n_steps, n_columns)
        Each forecast by its name; the first is drawn heavier than the others.

    Returns
    -------
    matplotlib.figure.Figure
        900 pixels wide.

    Raises
    ------
    ValueError
        If a forecast has not as many values as ``truth``.
    """
    history, truth = pd.DataFrame(history), pd.DataFrame(truth)
    values = {name: _shaped(name, forecast, truth) for name, forecast in forecasts.items()}
    tail = history.iloc[-max(_TAIL * len(truth), 12) :]
    names = list(truth.columns[:_MOST_PANELS])
    time = fitted(truth.index.name or "time step", lines=1)
    figure, panels = _panels(len(names))
    for i, (axes, name) in enumerate(zip(panels, names)):
        drawn = {key: forecast[:, i] for key, forecast in values.items()}
        ends = _draw(axes, tail.iloc[:, i], truth.iloc[:, i], drawn)
        lowest = i + _columns(len(names)) >= len(names)
        dress(axes, title=fitted(name, width=60 // _columns(len(names)), lines=1), x=time if lowest else "")
        _show_time(axes, truth.index)
        if len(names) == 1:
            label_ends(axes, ends)
    _finish(figure, panels, truth)
    return figure


def _shaped(name: str, forecast: ArrayLike, truth: pd.DataFrame) -> NDArray[np.float64]:
    array = np.asarray(forecast, dtype=np.float64)
    if array.size != truth.size or len(array) != len(truth):
        raise ValueError(
            f"The forecast {name!r} of shape {array.shape} must have the shape of the truth, {truth.shape}."
        )
    return array.reshape(truth.shape)


def _columns(n_panels: int) -> int:
    return 1 if n_panels == 1 else 2 if n_panels <= 4 else 3


def _panels(n_panels: int) -> tuple[Figure, list[Axes]]:
    n_columns = _columns(n_panels)
    n_rows = -(-n_panels // n_columns)
    figure = new_figure(9, 4.5 if n_rows == 1 else 1.2 + 2.3 * n_rows)
    panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    for unused in panels[n_panels:]:
        unused.remove()
    return figure, panels[:n_panels]


def _draw(axes: Axes, tail: pd.Series, truth: pd.Series, forecasts: Mapping[str, NDArray[np.float64]]) -> list[LineEnd]:
    """Draw one column; return the ends of its lines."""
    x, ahead = _positions(tail.index, truth.index)
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
            label=fitted(name, lines=1), marker=marker, markersize=3,
        )  # fmt: skip
    return [LineEnd(fitted(name), joined[-1], float(line[0][-1]), line[1]) for name, line in lines.items()]


def _positions(before: pd.Index, after: pd.Index) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return places on the x-axis: days for dates, the index where it is numeric, else row numbers."""
    if isinstance(after, pd.DatetimeIndex):
        return _days(before), _days(after)
    if pd.api.types.is_numeric_dtype(after):
        return before.to_numpy(dtype=np.float64), after.to_numpy(dtype=np.float64)
    x = np.arange(len(before) + len(after), dtype=np.float64)
    return x[: len(before)], x[len(before) :]


def _days(index: pd.Index) -> NDArray[np.float64]:
    return np.asarray(date2num(index), dtype=np.float64)  # type: ignore[no-untyped-call]


def _show_time(axes: Axes, index: pd.Index) -> None:
    if isinstance(index, pd.DatetimeIndex):
        locator = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _finish(figure: Figure, panels: list[Axes], truth: pd.DataFrame) -> None:
    """Write the title and, where there are several panels, one legend below them."""
    title = f"Forecast of {len(truth)} steps"
    if truth.shape[1] > len(panels):
        title += f" (the first {len(panels)} of {truth.shape[1]} series)"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    if len(panels) > 1:
        handles, labels = panels[0].get_legend_handles_labels()
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
        write_as_is(legend.get_texts())
