"""Plot predicted against true values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from seqpipe.diagnostics._style import GREY, INK, PALETTE, new_figure, shorten, style_axes

__all__ = ["plot_truth_against_prediction"]

_MOST_PANELS = 12


def plot_truth_against_prediction(
    y_true: ArrayLike, y_pred: ArrayLike, *, names: Sequence[str] | None = None
) -> Figure:
    """Plot predicted against true values, with the line where they are equal.

    There is one panel per output, at most twelve.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted values.
    names : sequence of str of shape (n_outputs,), optional
        Names of the outputs.

    Returns
    -------
    matplotlib.figure.Figure
        Up to 900 pixels wide.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, predicted = _columns(y_true), _columns(y_pred)
    if truth.shape != predicted.shape:
        raise ValueError(f"y_pred of shape {predicted.shape} must have the shape of y_true, {truth.shape}.")
    titles = names or ([""] if truth.shape[1] == 1 else [f"output {i}" for i in range(truth.shape[1])])
    shown = min(truth.shape[1], _MOST_PANELS)
    n_columns = min(shown, 3)
    n_rows = -(-shown // n_columns)
    figure = new_figure(6 if shown == 1 else 9, 5.5 if shown == 1 else 9 / n_columns * n_rows)
    panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    for unused in panels[shown:]:
        unused.remove()
    for i, axes in enumerate(panels[:shown]):
        _draw(axes, truth[:, i], predicted[:, i], titles[i])
    return figure


def _columns(y: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(y, dtype=np.float64)
    return array.reshape(len(array), -1)


def _draw(axes: Axes, truth: NDArray[np.float64], predicted: NDArray[np.float64], name: str) -> None:
    ends = np.array([min(truth.min(), predicted.min()), max(truth.max(), predicted.max())])
    axes.plot(ends, ends, color=GREY, linewidth=1.0, linestyle="--")
    alpha = float(np.clip(60 / len(truth), 0.15, 0.8))
    axes.scatter(truth, predicted, s=18, color=PALETTE[0], alpha=alpha, linewidths=0, rasterized=len(truth) > 5000)
    error = np.abs(truth - predicted).mean()
    style_axes(axes, title=shorten(name, width=28, lines=1), x="true value", y="predicted value")
    axes.text(
        0.03,
        0.97,
        f"mean absolute error {error:.3g}",
        transform=axes.transAxes,
        va="top",
        fontsize=9,
        color=INK,
    )
    axes.set_aspect("equal", adjustable="datalim")
