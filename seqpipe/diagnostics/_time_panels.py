"""Panels of time series, one per column, with dates on the x-axis if the index has dates."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seqpipe.diagnostics._style import INK, disable_math, new_figure, shorten, style_axes

__all__ = [
    "MOST_PANELS",
    "panels_for",
    "positions",
    "style_panel",
    "write_legend",
    "write_title",
]

MOST_PANELS = 12


def n_columns(n_panels: int) -> int:
    """Return the number of panels per row."""
    return 1 if n_panels == 1 else 2 if n_panels <= 4 else 3


def panels_for(n_panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure 900 pixels wide and its panels."""
    columns = n_columns(n_panels)
    n_rows = -(-n_panels // columns)
    figure = new_figure(9, 4.5 if n_rows == 1 else 1.2 + 2.3 * n_rows)
    panels = list(figure.subplots(n_rows, columns, squeeze=False).flat)
    for unused in panels[n_panels:]:
        unused.remove()
    return figure, panels[:n_panels]


def positions(before: pd.Index, after: pd.Index) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions on the x-axis: days for dates, the values of a numeric index, else row numbers."""
    if isinstance(after, pd.DatetimeIndex):
        return _days(before), _days(after)
    if pd.api.types.is_numeric_dtype(after):
        return before.to_numpy(dtype=np.float64), after.to_numpy(dtype=np.float64)
    x = np.arange(len(before) + len(after), dtype=np.float64)
    return x[: len(before)], x[len(before) :]


def _days(index: pd.Index) -> NDArray[np.float64]:
    return np.asarray(date2num(index), dtype=np.float64)  # type: ignore[no-untyped-call]


def show_time(axes: Axes, index: pd.Index) -> None:
    """Format the x-axis as dates in the time zone of the index, if it has dates."""
    if isinstance(index, pd.DatetimeIndex):
        locator = AutoDateLocator(tz=index.tz, minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=index.tz))  # type: ignore[no-untyped-call]


def style_panel(axes: Axes, i: int, n_panels: int, *, title: str, index: pd.Index) -> None:
    """Style the i-th of several panels, with the time on the x-axis, whose name is written below the lowest panels."""
    lowest = i + n_columns(n_panels) >= n_panels
    time = shorten(index.name or "time step", lines=1)
    style_axes(axes, title=shorten(title, width=60 // n_columns(n_panels), lines=1), x=time if lowest else "")
    show_time(axes, index)


def write_title(figure: Figure, title: str, n_panels: int, n_series: int) -> None:
    """Write a title above all panels, with the number of series if some are left out."""
    left_out = f" (the first {n_panels} of {n_series} series)" if n_series > n_panels else ""
    figure.suptitle(title + left_out, x=0.01, ha="left", fontsize=11, color=INK)


def write_legend(figure: Figure, axes: Axes) -> None:
    """Write the legend of one panel below all panels."""
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    disable_math(legend.get_texts())
