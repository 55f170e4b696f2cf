"""Plot hidden states as heat maps."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from seqpipe.diagnostics._hidden_states import HiddenStates
from seqpipe.diagnostics._style import new_figure, style_axes

__all__ = ["plot_hidden_states"]

_MOST_PANELS = 8


def plot_hidden_states(states: HiddenStates) -> Figure:
    """Plot the state after each step of one sequence, with one row per entry of the state and time to the right.

    There is one panel per layer and direction, at most eight, with a common colour scale, white at zero.

    Parameters
    ----------
    states : HiddenStates
        The result of `hidden_states`.

    Returns
    -------
    matplotlib.figure.Figure
        900 pixels wide.
    """
    shown = states.values[:_MOST_PANELS]
    figure = new_figure(9, 1.2 + 2.3 * len(shown))
    panels = list(figure.subplots(len(shown), 1, squeeze=False).flat)
    largest = max(float(np.nanmax(np.abs(values), initial=0.0)) for values in shown) or 1.0
    images = [_draw(axes, values, largest) for axes, values in zip(panels, shown)]
    for axes, layer in zip(panels, states.layers):
        title = "Hidden states" if len(states.layers) == 1 else f"Hidden states: {layer}"
        style_axes(axes, title=title, x="time step" if axes is panels[-1] else "", y="entry of the state")
        axes.grid(False)
    bar = figure.colorbar(images[0], ax=panels, shrink=0.9, pad=0.02)
    bar.set_label("value", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def _draw(axes: Axes, values: NDArray[np.float64], largest: float) -> AxesImage:
    n_timesteps, n_entries = values.shape
    image = axes.imshow(
        values.T,
        cmap="PuOr",
        vmin=-largest,
        vmax=largest,
        aspect="auto",
        interpolation="nearest",
        extent=(0.5, n_timesteps + 0.5, n_entries - 0.5, -0.5),
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return image
