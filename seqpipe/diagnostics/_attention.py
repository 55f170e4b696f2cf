"""Where a network looked for each step of its output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from seqpipe.diagnostics._style import dress, fitted, new_figure, write_as_is

__all__ = ["plot_attention"]

_MOST_TICKS = 60


def plot_attention(weights: ArrayLike, source: Sequence[object], output: Sequence[object]) -> Figure:
    """Draw the weight of each source step for each output step.

    Parameters
    ----------
    weights : array-like of shape (n_output, n_source)
        From 0 to 1, each row with the sum 1.
    source, output : sequence of str
        The tokens that were read and written; their ends included where the weights include them.

    Returns
    -------
    matplotlib.figure.Figure
        Up to 900 pixels wide.

    Raises
    ------
    ValueError
        If the weights have another shape than the tokens, or one is not between 0 and 1.
    """
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (len(output), len(source)) or not array.size:
        raise ValueError(
            f"weights must have one row an output token and one column a source token, ({len(output)}, {len(source)}) "
            f"and none of them 0. Got shape {array.shape} instead."
        )
    if not ((array >= 0) & (array <= 1 + 1e-6)).all():
        raise ValueError(
            f"weights must be from 0 to 1. Got {array.min():.3g} to {array.max():.3g}: apply the softmax first."
        )
    figure = new_figure(*_size(*array.shape))
    axes = figure.subplots()
    image = axes.imshow(array, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label("weight", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    dress(axes, title="Attention", x="source", y="output")
    axes.grid(False)
    _name_tokens(axes, source, output)
    return figure


def _size(n_output: int, n_source: int) -> tuple[float, float]:
    width, height = 2.2 + 0.3 * n_source, 1.6 + 0.3 * n_output
    return float(np.clip(width, 4.0, 9.0)), float(np.clip(height, 3.0, 9.0))


def _name_tokens(axes: Axes, source: Sequence[object], output: Sequence[object]) -> None:
    columns, rows = _ticks(len(source)), _ticks(len(output))
    names = [_shown(source[i]) for i in columns]
    upright = max(map(len, names)) > 2
    points = 9 if max(len(columns), len(rows)) <= 30 else 7
    axes.set_xticks(columns, names, fontsize=points, rotation=90 if upright else 0)
    axes.set_yticks(rows, [_shown(output[i]) for i in rows], fontsize=points)
    write_as_is([*axes.get_xticklabels(), *axes.get_yticklabels()])


def _ticks(n_tokens: int) -> range:
    return range(0, n_tokens, -(-n_tokens // _MOST_TICKS))


def _shown(token: object) -> str:
    """Return a token's name; a blank is drawn as a sign that can be seen."""
    text = str(token)
    return "␣" if text == " " else "⏎" if text == "\n" else fitted(text, width=18, lines=1)
