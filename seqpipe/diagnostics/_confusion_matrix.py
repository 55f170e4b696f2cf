"""Plot confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix
from sklearn.utils.multiclass import unique_labels

from seqpipe.diagnostics._style import disable_math, new_figure, shorten, style_axes

__all__ = ["plot_confusion_matrix"]

_MOST_WITH_COUNTS = 25
_MOST_TICKS = 60


def plot_confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike, labels: Sequence[Any] | None = None) -> Figure:
    """Plot a confusion matrix, with one row per true class and one column per predicted class.

    The colour of a cell is its share of the row; its number is the count of samples (omitted above 25 classes).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted labels.
    labels : sequence of shape (n_classes,), optional
        Classes in the order of rows and columns; by default all that occur, sorted.

    Returns
    -------
    matplotlib.figure.Figure
        Up to 900 pixels wide.
    """
    classes = unique_labels(y_true, y_pred) if labels is None else np.asarray(labels)
    counts = confusion_matrix(y_true, y_pred, labels=classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = float(np.clip(3.5 + 0.33 * len(classes), 4.2, 9.0))
    figure = new_figure(size, 0.9 * size)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label("share of the true class", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    style_axes(axes, title=_title(counts), x="predicted class", y="true class")
    axes.grid(False)
    _name_classes(axes, classes)
    if len(classes) <= _MOST_WITH_COUNTS:
        _write_counts(axes, counts, shares)
    return figure


def _title(counts: NDArray[np.int64]) -> str:
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    return f"Confusion matrix\n{accuracy:.1%} of {counts.sum():,} correct"


def _name_classes(axes: Axes, classes: NDArray[Any]) -> None:
    every = -(-len(classes) // _MOST_TICKS)
    ticks = np.arange(0, len(classes), every)
    names = [shorten(name, width=18, lines=1) for name in classes[ticks]]
    points = 9 if len(classes) <= 15 else 7 if len(classes) <= 30 else 6
    rotated = max(map(len, names)) > 3
    axes.set_xticks(ticks, names, fontsize=points, rotation=90 if rotated else 0)
    axes.set_yticks(ticks, names, fontsize=points)
    disable_math([*axes.get_xticklabels(), *axes.get_yticklabels()])


def _write_counts(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    points = 10 if len(counts) <= 5 else 8 if len(counts) <= 15 else 6
    for row, column in np.argwhere(counts):
        colour = "white" if shares[row, column] > 0.55 else "#222222"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=points, color=colour)
