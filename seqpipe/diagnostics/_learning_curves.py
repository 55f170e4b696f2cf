"""Plot the loss over the epochs of one or more fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from seqpipe.diagnostics._style import (
    GREY,
    INK,
    PALETTE,
    LineEnd,
    label_ends,
    new_figure,
    plain_log_ticks,
    shorten,
    style_axes,
)

__all__ = ["Curves", "draw_curves", "last_loss", "plot_learning_curves"]

Curves = Mapping[str, Sequence[Mapping[str, float]]]

_Style = Literal["-", "--"]
_STYLES: dict[str, tuple[str, _Style]] = {"train_loss": ("training", "-"), "valid_loss": ("validation", "--")}
_DECADES_FOR_LOG = 1.3


def plot_learning_curves(curves: Curves) -> Figure:
    """Plot the training and validation loss of each fit against the epoch.

    Parameters
    ----------
    curves : mapping of str to sequence of mappings
        The ``history_`` of each fit by name: one mapping per epoch with ``train_loss`` and optionally ``epoch`` and
        ``valid_loss``. Of more than six fits the six with the lowest last loss are in colour.

    Returns
    -------
    matplotlib.figure.Figure
        900 pixels wide.
    """
    figure = new_figure(9, 4.5)
    axes = figure.subplots()
    best = sorted((name for name in curves if curves[name]), key=lambda name: last_loss(curves[name]))
    colours = dict(zip(best, PALETTE))
    draw_curves(axes, curves, colours)
    label_ends(axes, _ends(curves, colours))
    return figure


def draw_curves(axes: Axes, curves: Curves, colours: Mapping[str, str]) -> None:
    """Plot the losses into ``axes``, those without a colour in grey below the others."""
    drawn = set()
    for name, history in curves.items():
        for key in _STYLES:
            epochs, losses = _series(history, key)
            if np.isfinite(losses).any():
                drawn.add(key)
                _draw(axes, epochs, losses, key, colours.get(name))
    log = _spans_decades(axes)
    if log:
        axes.set_yscale("log")
        plain_log_ticks(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    style_axes(axes, title="Learning curves", x="epoch", y="loss (log scale)" if log else "loss")
    if len(drawn) > 1:
        _explain_styles(axes)
    if not drawn:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no epochs were recorded", transform=axes.transAxes, ha="center", color=GREY)


def last_loss(history: Sequence[Mapping[str, float]]) -> float:
    """Return the last validation loss, else the last training loss; infinity if it is not finite."""
    loss = history[-1].get("valid_loss", history[-1].get("train_loss", np.inf))
    return float(loss) if np.isfinite(loss) else np.inf


def _draw(axes: Axes, epochs: NDArray[np.float64], losses: NDArray[np.float64], key: str, colour: str | None) -> None:
    axes.plot(
        epochs,
        losses,
        color=colour or GREY,
        linestyle=_STYLES[key][1],
        linewidth=1.6 if colour else 0.8,
        alpha=1.0 if colour else 0.6,
        zorder=3 if colour else 2,
        marker="o" if np.isfinite(losses).sum() == 1 else None,
        markersize=5,
    )


def _series(history: Sequence[Mapping[str, float]], key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    epochs = np.array([row.get("epoch", i + 1) for i, row in enumerate(history)], dtype=np.float64)
    losses = np.array([row.get(key, np.nan) for row in history], dtype=np.float64)
    return epochs, np.where(np.isfinite(losses), losses, np.nan)


def _spans_decades(axes: Axes) -> bool:
    losses = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines] or [np.ones(1)])
    losses = losses[np.isfinite(losses)]
    return bool((losses > 0).all() and np.log10(losses.max() / losses.min()) > _DECADES_FOR_LOG)


def _explain_styles(axes: Axes) -> None:
    handles = [Line2D([], [], color=INK, linestyle=style, label=label) for label, style in _STYLES.values()]
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, fontsize=9)


def _ends(curves: Curves, colours: Mapping[str, str]) -> list[LineEnd]:
    ends = []
    for name, colour in colours.items():
        points = [_series(curves[name], key) for key in _STYLES]
        epochs, losses = points[1] if np.isfinite(points[1][1]).any() else points[0]
        finite = np.flatnonzero(np.isfinite(losses))
        if len(finite):
            ends.append(LineEnd(shorten(name), float(epochs[finite[-1]]), float(losses[finite[-1]]), colour))
    others = [name for name in curves if name not in colours]
    if others and ends:
        lowest = min(ends, key=lambda end: end.y)
        ends.insert(0, LineEnd(f"{len(others)} others in grey", lowest.x, lowest.y, GREY))
    return ends
