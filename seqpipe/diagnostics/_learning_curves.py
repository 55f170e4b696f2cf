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
    LOOKS,
    LineEnd,
    Look,
    label_ends,
    new_figure,
    plain_log_ticks,
    shorten,
    style_axes,
)

__all__ = ["Curves", "curve_ends", "draw_curves", "last_loss", "plot_learning_curves"]

Curves = Mapping[str, Sequence[Mapping[str, float]]]

_Style = Literal["-", "--"]
_STYLES: dict[str, tuple[str, _Style]] = {"train_loss": ("training", "-"), "valid_loss": ("validation", "--")}
_DECADES_FOR_LOG = 1.3
#: Number of markers on a curve, and the sign beside its name.
_MARKERS = 8
_SIGNS = {"s": "■", "^": "▲", "D": "◆", "v": "▼"}


def plot_learning_curves(curves: Curves, *, held_out: Mapping[str, float] | None = None) -> Figure:
    """Plot the training and validation loss of each fit against the epoch.

    Parameters
    ----------
    curves : mapping of str to sequence of mappings
        The ``history_`` of each fit by name: one mapping per epoch with ``train_loss`` and optionally ``epoch`` and
        ``valid_loss``. Of more than thirty fits the thirty with the lowest last loss are in colour.
    held_out : mapping of str to float, optional
        Scores of the fits on held-out data by name, which are written beside their curves.

    Returns
    -------
    matplotlib.figure.Figure
        900 pixels wide.
    """
    best = sorted((name for name in curves if curves[name]), key=lambda name: last_loss(curves[name]))
    looks = dict(zip(best, LOOKS))
    figure = new_figure(9, max(4.5, 1.5 + 0.2 * len(looks)))
    axes = figure.subplots()
    draw_curves(axes, curves, looks)
    scores = {name: f"held-out score {score:.4g}" for name, score in (held_out or {}).items()}
    label_ends(axes, curve_ends(curves, looks, scores))
    return figure


def draw_curves(axes: Axes, curves: Curves, looks: Mapping[str, Look]) -> None:
    """Plot the losses into ``axes``, those of fits without a look in grey below the others."""
    drawn = set()
    for name, history in curves.items():
        for key in _STYLES:
            epochs, losses = _series(history, key)
            if np.isfinite(losses).any():
                drawn.add(key)
                _draw(axes, epochs, losses, key, looks.get(name))
    log = _spans_decades(axes)
    if log:
        axes.set_yscale("log")
        plain_log_ticks(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    style_axes(axes, title="Learning curves", x="epoch", y="loss (log scale)" if log else "loss")
    if drawn:
        _explain_styles(axes, drawn)
    else:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no epochs were recorded", transform=axes.transAxes, ha="center", color=GREY)


def last_loss(history: Sequence[Mapping[str, float]]) -> float:
    """Return the last validation loss, else the last training loss; infinity if it is not finite."""
    loss = history[-1].get("valid_loss", history[-1].get("train_loss", np.inf))
    return float(loss) if np.isfinite(loss) else np.inf


def _draw(axes: Axes, epochs: NDArray[np.float64], losses: NDArray[np.float64], key: str, look: Look | None) -> None:
    alone = np.isfinite(losses).sum() == 1
    by_colour = look is None or look.marker == LOOKS[0].marker
    axes.plot(
        epochs,
        losses,
        color=look.colour if look else GREY,
        linestyle=_STYLES[key][1],
        linewidth=1.6 if look else 0.8,
        alpha=1.0 if look else 0.6,
        zorder=3 if look else 2,
        marker=None if by_colour and not alone else (look or LOOKS[0]).marker,
        markevery=max(1, len(epochs) // _MARKERS),
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


def _explain_styles(axes: Axes, drawn: set[str]) -> None:
    styles = [_STYLES[key] for key in _STYLES if key in drawn]
    handles = [Line2D([], [], color=INK, linestyle=style, label=label) for label, style in styles]
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, borderpad=0.2,
        ncols=2, frameon=False, fontsize=9, handlelength=1.6, columnspacing=1.0,
    )  # fmt: skip


def curve_ends(
    curves: Curves,
    looks: Mapping[str, Look],
    scores: Mapping[str, str] | None = None,
    *,
    width: int = 32,
    lines: int = 2,
) -> list[LineEnd]:
    """Return the names of the curves with a look, each with its score if it has one, and where they end."""
    ends = []
    for name, look in looks.items():
        points = [_series(curves.get(name, ()), key) for key in _STYLES]
        epochs, losses = points[1] if np.isfinite(points[1][1]).any() else points[0]
        finite = np.flatnonzero(np.isfinite(losses))
        if len(finite):
            mark = "" if look.marker == LOOKS[0].marker else f"{_SIGNS[look.marker]} "
            label = "\n".join(
                [mark + shorten(name, width=width, lines=lines), *([scores[name]] if scores and name in scores else [])]
            )
            ends.append(LineEnd(label, float(epochs[finite[-1]]), float(losses[finite[-1]]), look.colour))
    others = [name for name in curves if name not in looks]
    if others and ends:
        lowest = min(ends, key=lambda end: end.y)
        ends.insert(0, LineEnd(f"{len(others)} others in grey", lowest.x, lowest.y, GREY))
    return ends
