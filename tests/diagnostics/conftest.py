import io
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.text import Text


@pytest.fixture
def drawn():
    """Draw a figure, check that its texts are legible, and return it."""

    def draw(figure):
        figure.savefig(io.BytesIO(), format="png")
        for axis in (each for axes in figure.axes for each in (axes.xaxis, axes.yaxis)):
            labels = _tick_labels(axis)
            for first, second in pairwise(labels):
                assert not _overlap(first, second), f"{first} and {second} overlap"
            assert all(_inside(label, figure) for label in labels)
        ticks = {id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in _all_ticks(axis)}
        for text in figure.findobj(Text):
            if text.get_visible() and text.get_text() and id(text) not in ticks:
                assert _inside(text, figure), f"{text} is cut off"
        return figure

    backend, before = mpl.rcParams["backend"], dict(mpl.rcParams)
    yield draw
    assert (mpl.rcParams["backend"], dict(mpl.rcParams)) == (backend, before)


def _all_ticks(axis):
    return [*axis.get_ticklabels(), *axis.get_ticklabels(minor=True)]


def _tick_labels(axis):
    """Return the tick labels that are visible: those within the limits of an axis."""
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_ticklocs(), axis.get_ticklabels())
    return [
        label
        for where, label in ticks
        if label.get_text() and (low <= where <= high or np.isclose(where, [low, high], rtol=1e-9, atol=0).any())
    ]


def _overlap(first, second, least=1.0):
    if first.get_rotation() % 90:
        return False  # the boxes of slanted labels overlap although the labels do not
    a, b = first.get_window_extent(), second.get_window_extent()
    width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return min(width, height) > least


def _inside(text, figure, margin=1.0):
    box = text.get_window_extent()
    return (
        box.x0 >= -margin
        and box.y0 >= -margin
        and box.x1 <= figure.bbox.width + margin
        and box.y1 <= figure.bbox.height + margin
    )
