"""Plot the attention weights of a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from seqpipe.diagnostics._style import disable_math, new_figure, shorten, style_axes

__all__ = ["plot_attention"]

_MOST_TICKS = 60


def plot_attention(weights: ArrayLike, source: Sequence[object], output: Sequence[object]) -> Figure:
    """Plot the attention weight of each source token for each output token.

    Parameters
    ----------
    weights : array-like of shape (n_output, n_source)
        Weights between 0 and 1; each row sums to 1.
    source, output : sequence of str
        Source and output tokens, with end-of-sequence tokens if the weights include them.

    Returns
    -------
    matplotlib.figure.Figure
        Up to 900 pixels wide.

    Raises
    ------
    ValueError
        If the shape of the weights does not match the tokens, or a weight is not between 0 and 1.
    """
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (len(output), len(source)) or not array.size:
        raise ValueError(
            f"weights must have one row per output token and one column per source token, ({len(output)}, {len(source)}), "
            f"and at least one of each. Got shape {array.shape} instead."
        )
    if not ((array >= 0) & (array <= 1 + 1e-6)).all():
        raise ValueError(
            f"weights must be between 0 and 1. Got {array.min():.3g} to {array.max():.3g}: apply the softmax first."
        )
    figure = new_figure(*_size(*array.shape))
    axes = figure.subplots()
    image = axes.imshow(array, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label("weight", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    style_axes(axes, title="Attention", x="source", y="output")
    axes.grid(False)
    _name_tokens(axes, source, output)
    return figure


def _size(n_output: int, n_source: int) -> tuple[float, float]:
    width, height = 2.2 + 0.3 * n_source, 1.6 + 0.3 * n_output
    return float(np.clip(width, 4.0, 9.0)), float(np.clip(height, 3.0, 9.0))


def _name_tokens(axes: Axes, source: Sequence[object], output: Sequence[object]) -> None:
    columns, rows = _ticks(len(source)), _ticks(len(output))
    names = [_label(source[i]) for i in columns]
    rotated = max(map(len, names)) > 2
    points = 9 if max(len(columns), len(rows)) <= 30 else 7
    axes.set_xticks(columns, names, fontsize=points, rotation=90 if rotated else 0)
    axes.set_yticks(rows, [_label(output[i]) for i in rows], fontsize=points)
    disable_math([*axes.get_xticklabels(), *axes.get_yticklabels()])


def _ticks(n_tokens: int) -> range:
    return range(0, n_tokens, -(-n_tokens // _MOST_TICKS))


def _label(token: object) -> str:
    """Return the label of a token, with a visible symbol for a space or line feed."""
    text = str(token)
    return "␣" if text == " " else "⏎" if text == "\n" else shorten(text, width=18, lines=1)
