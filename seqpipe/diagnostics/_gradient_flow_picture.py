"""Plot the norm of the gradient over time."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from seqpipe.diagnostics._gradient_flow import GradientFlow
from seqpipe.diagnostics._style import (
    GREY,
    PALETTE,
    LineEnd,
    label_ends,
    new_figure,
    plain_log_ticks,
    shorten,
    style_axes,
)

__all__ = ["plot_gradient_flow"]

_MOST_SHADES = 2
#: Axes that span less than this factor have ticks at 0.1, 0.2, 0.5, …
_PLAIN_TICKS = 100


def plot_gradient_flow(flow: GradientFlow) -> Figure:
    """Plot ‖∂loss/∂h_t‖ against the time step, one line per layer, on a logarithmic scale.

    A line is the mean over the sequences that reach a step; for one or two layers a shaded area shows the middle 80 % of
    them. The title is the verdict. Six layers are in colour, further ones in grey.

    Parameters
    ----------
    flow : GradientFlow
        The result of `gradient_flow`.

    Returns
    -------
    matplotlib.figure.Figure
        900 pixels wide.
    """
    figure = new_figure(9, 4.5)
    axes = figure.subplots()
    norms = np.where((flow.norms > 0) & np.isfinite(flow.norms), flow.norms, np.nan)
    steps = np.arange(1, norms.shape[1] + 1)
    for i, mean in enumerate(norms):
        _draw(axes, steps, mean, _colour(i))
        if len(norms) <= _MOST_SHADES:
            _shade(axes, steps, flow.sample_norms[:, i], _colour(i))
    _scale(axes, norms)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    style_axes(axes, title=_title(flow), x="time step", y="‖∂loss/∂h‖ (log scale)")
    if len(flow.layers) > 1:
        label_ends(axes, _ends(flow, steps, norms))
    return figure


def _colour(i: int) -> str:
    return PALETTE[i] if i < len(PALETTE) else GREY


def _draw(axes: Axes, steps: NDArray[np.int64], mean: NDArray[np.float64], colour: str) -> None:
    marker = "o" if np.isfinite(mean).sum() <= 24 else None
    axes.plot(steps, mean, color=colour, linewidth=1.8, marker=marker, markersize=3, zorder=3)


def _shade(axes: Axes, steps: NDArray[np.int64], norms: NDArray[np.float64], colour: str) -> None:
    norms = np.where((norms > 0) & np.isfinite(norms), norms, np.nan)
    shown = np.isfinite(norms).any(axis=0)
    if len(norms) > 1 and shown.any():
        low, high = np.nanpercentile(norms[:, shown], [10, 90], axis=0)
        axes.fill_between(steps[shown], low, high, color=colour, alpha=0.15, linewidth=0, zorder=2)


def _scale(axes: Axes, norms: NDArray[np.float64]) -> None:
    """Make the y-axis logarithmic, with plain numbers if it spans little."""
    finite = norms[np.isfinite(norms)]
    if not len(finite):
        axes.set(yticks=[])
        axes.text(0.5, 0.5, "no gradient", transform=axes.transAxes, ha="center", color=GREY)
        return
    axes.set_yscale("log")
    if finite.max() < _PLAIN_TICKS * finite.min():
        plain_log_ticks(axes.yaxis)


def _title(flow: GradientFlow) -> str:
    """Return one line per layer, for at most six layers."""
    if len(flow.layers) == 1:
        return f"Gradient flow. {flow.verdict[0].upper()}{flow.verdict[1:]}"
    lines = [f"{layer}: {verdict}" for layer, verdict in zip(flow.layers, flow.verdicts)]
    return "\n".join(["Gradient flow", *(shorten(line, width=110, lines=1) for line in lines[: len(PALETTE)])])


def _ends(flow: GradientFlow, steps: NDArray[np.int64], norms: NDArray[np.float64]) -> list[LineEnd]:
    ends = []
    for i, (layer, line) in enumerate(zip(flow.layers, norms)):
        shown = np.flatnonzero(np.isfinite(line))
        if len(shown) and i < len(PALETTE):
            ends.append(LineEnd(shorten(layer), float(steps[shown[-1]]), float(line[shown[-1]]), _colour(i)))
    return ends
