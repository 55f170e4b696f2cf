"""The look that all pictures share: palette, bare axes, names that fit, labels that do not overlap."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

__all__ = [
    "INK",
    "PALETTE",
    "QUIET",
    "LineEnd",
    "dress",
    "fitted",
    "label_ends",
    "new_figure",
    "plain_log_ticks",
    "write_as_is",
]

#: Okabe and Ito's colours, told apart by colour-blind readers; without the yellow, too pale for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#222222"
QUIET = "#9a9a9a"

_FONT_POINTS = 9.0
_LINE_INCHES = 1.3 * _FONT_POINTS / 72


@dataclass(frozen=True)
class LineEnd:
    """Where a line ends, in data coordinates, and what to write beside it."""

    text: str
    x: float
    y: float
    colour: str


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of some inches that makes room for its labels."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    return Figure(figsize=(width, height), dpi=100, layout=layout)


def dress(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Write title and axis labels, and take away what is not data."""
    axes.set_title(title, loc="left", fontsize=_FONT_POINTS + 2, color=INK, parse_math=False)
    axes.set_xlabel(x, fontsize=_FONT_POINTS + 1, parse_math=False)
    axes.set_ylabel(y, fontsize=_FONT_POINTS + 1, parse_math=False)
    axes.tick_params(labelsize=_FONT_POINTS, color=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def fitted(name: object, *, width: int = 32, lines: int = 2) -> str:
    """Return a name in at most ``lines`` of ``width`` characters, without its middle if need be."""
    text = " ".join(str(name).split())
    if len(text) > width * lines:
        half = (width * lines - lines) // 2
        text = f"{text[:half]}…{text[-half:]}"
    if lines == 1:
        return text
    wrapped = textwrap.wrap(text, width, break_on_hyphens=False) or [text]
    return "\n".join([*wrapped[: lines - 1], " ".join(wrapped[lines - 1 :])]).rstrip()


def plain_log_ticks(axis: Axis) -> None:
    """Write 0.1, 0.2, 0.5, 1, … along a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def write_as_is(texts: Sequence[Text]) -> None:
    """Keep dollar signs in names from being read as formulas."""
    for text in texts:
        text.set_parse_math(False)


def label_ends(axes: Axes, ends: Sequence[LineEnd]) -> None:
    """Write each line's name to the right of the axes, at its end's height where there is room."""
    if not ends:
        return
    axes.autoscale_view()  # else the limits are those from before the last line
    to_axes = axes.transData + axes.transAxes.inverted()
    wanted = [float(to_axes.transform((end.x, end.y))[1]) for end in ends]
    figure = axes.get_figure(root=True)
    assert figure is not None
    line = _LINE_INCHES / (0.8 * figure.get_figheight())
    heights = [line * (end.text.count("\n") + 1) for end in ends]
    for end, at in zip(ends, _moved_apart(wanted, heights)):
        axes.text(
            1.02, at, end.text, transform=axes.transAxes, color=end.colour, fontsize=_FONT_POINTS,
            va="center", parse_math=False,
        )  # fmt: skip


def _moved_apart(centres: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Return centres near the given ones that leave each its height, within 0 to 1 if they fit."""
    order = sorted(range(len(centres)), key=centres.__getitem__)
    gaps = [(heights[a] + heights[b]) / 2 for a, b in itertools.pairwise(order)]
    moved = [max(centres[order[0]], 0.0)]
    for i, gap in zip(order[1:], gaps):
        moved.append(max(centres[i], moved[-1] + gap))
    moved[-1] = min(moved[-1], 1.0)
    for k in range(len(moved) - 2, -1, -1):
        moved[k] = min(moved[k], moved[k + 1] - gaps[k])
    placed = dict(zip(order, moved))
    return [placed[i] for i in range(len(centres))]
