"""Common style of all pictures: palette, plain axes, shortened names, labels that do not overlap."""

from __future__ import annotations

import io
import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

__all__ = [
    "GREY",
    "INK",
    "LOOKS",
    "PALETTE",
    "LineEnd",
    "Look",
    "disable_math",
    "label_ends",
    "new_figure",
    "plain_log_ticks",
    "shorten",
    "style_axes",
]

#: Okabe and Ito's colours, distinguishable for colour-blind readers; without yellow, which is too pale for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#222222"
GREY = "#9a9a9a"

_FONT_POINTS = 9.0
_LINE_INCHES = 1.3 * _FONT_POINTS / 72


@dataclass(frozen=True)
class Look:
    """Colour and marker of a fit, the same in every panel."""

    colour: str
    marker: str = "o"


#: Looks of thirty fits: six colours with one marker, then the same with the next.
LOOKS = tuple(Look(colour, marker) for marker in ("o", "s", "^", "D", "v") for colour in PALETTE)


class _Shown(Figure):
    """A figure that notebooks show, although no window of pyplot owns it."""

    def _repr_png_(self) -> bytes:
        """Return the figure as a PNG file, which IPython asks for."""
        png = io.BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()


@dataclass(frozen=True)
class LineEnd:
    """The end of a line, in data coordinates, and the label beside it."""

    text: str
    x: float
    y: float
    colour: str


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of the given size in inches, whose layout leaves room for labels."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    return _Shown(figsize=(width, height), dpi=100, layout=layout)


def style_axes(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Set title and axis labels, and remove unnecessary lines."""
    axes.set_title(title, loc="left", fontsize=_FONT_POINTS + 2, color=INK, parse_math=False)
    axes.set_xlabel(x, fontsize=_FONT_POINTS + 1, parse_math=False)
    axes.set_ylabel(y, fontsize=_FONT_POINTS + 1, parse_math=False)
    axes.tick_params(labelsize=_FONT_POINTS, color=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def shorten(name: object, *, width: int = 32, lines: int = 2) -> str:
    """Return a name in at most ``lines`` lines of ``width`` characters, leaving out its middle if necessary."""
    text = " ".join(str(name).split())
    if len(text) > width * lines:
        half = (width * lines - lines) // 2
        text = f"{text[:half]}…{text[-half:]}"
    if lines == 1:
        return text
    wrapped = textwrap.wrap(text, width, break_on_hyphens=False) or [text]
    return "\n".join([*wrapped[: lines - 1], " ".join(wrapped[lines - 1 :])]).rstrip()


class _PlainLogLocator(LogLocator):
    """Places ticks at 1, 2 and 5 in each decade, at 1 only if the labels would overlap."""

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """Return the ticks of an axis from vmin to vmax."""
        assert self.axis is not None
        n_ticks = 3 * abs(np.log10(vmax / vmin))
        self.set_params(subs=(1.0, 2.0, 5.0) if n_ticks <= self.axis.get_tick_space() else (1.0,))
        return super().tick_values(vmin, vmax)


def plain_log_ticks(axis: Axis) -> None:
    """Write 0.1, 0.2, 0.5, 1, … along a logarithmic axis, 0.1, 1, … if it spans many decades."""
    axis.set_major_locator(_PlainLogLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def disable_math(texts: Sequence[Text]) -> None:
    """Draw dollar signs in texts literally instead of as formulas."""
    for text in texts:
        text.set_parse_math(False)


def label_ends(axes: Axes, ends: Sequence[LineEnd]) -> None:
    """Write the name of each line to the right of the axes, at the height of its end if there is room."""
    if not ends:
        return
    axes.autoscale_view()  # otherwise the limits ignore the last line
    to_axes = axes.transData + axes.transAxes.inverted()
    wanted = [float(to_axes.transform((end.x, end.y))[1]) for end in ends]
    figure = axes.get_figure(root=True)
    assert figure is not None
    panel = axes.get_figure(root=False)
    assert panel is not None
    line = _LINE_INCHES * figure.dpi / (0.75 * panel.bbox.height)
    heights = [line * (end.text.count("\n") + 1) for end in ends]
    for end, at in zip(ends, _spread_out(wanted, heights)):
        axes.text(
            1.02, at, end.text, transform=axes.transAxes, color=end.colour, fontsize=_FONT_POINTS,
            va="center", parse_math=False,
        )  # fmt: skip


def _spread_out(centres: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Return centres near the given ones so that labels of these heights do not overlap, within 0 to 1 if they fit."""
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
