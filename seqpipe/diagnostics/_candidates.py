"""Plot the candidates of a search: scores, their spread, costs and learning curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqpipe.diagnostics._learning_curves import Curves, curve_ends, draw_curves
from seqpipe.diagnostics._style import (
    GREY,
    LOOKS,
    Look,
    disable_math,
    label_ends,
    new_figure,
    plain_log_ticks,
    shorten,
    style_axes,
)

__all__ = ["plot_candidates"]

_MOST_ROWS = len(LOOKS)
_COLUMNS = ("name", "mean", "std", "seconds", "n_parameters")


def plot_candidates(table: pd.DataFrame, curves: Curves) -> Figure:
    """Plot a search: score and spread of each candidate, score against time, and learning curves.

    Parameters
    ----------
    table : DataFrame of shape (n_candidates, ...)
        Columns ``name``, ``mean`` and ``std`` of the score over folds (greater is better; NaN if all folds failed),
        ``seconds`` of a fit, ``n_parameters`` and optionally ``compile_seconds``. The best thirty are drawn.
    curves : mapping of str to sequence of mappings
        The ``history_`` of each candidate by name; candidates without one have no learning curve.

    Returns
    -------
    matplotlib.figure.Figure
        900 pixels wide.

    Raises
    ------
    ValueError
        If the table is empty or a column is missing.
    """
    missing = [column for column in _COLUMNS if column not in table.columns]
    if missing or table.empty:
        raise ValueError(
            f"The table of candidates must have rows and the columns {list(_COLUMNS)}. It lacks {missing or 'rows'}."
        )
    ranked = table.sort_values("mean", ascending=False, na_position="last", kind="stable").reset_index(drop=True)
    shown = ranked.iloc[:_MOST_ROWS]
    looks = [look if np.isfinite(mean) else Look(GREY) for look, mean in zip(LOOKS, shown["mean"])]
    scores_height = 1.1 + 0.36 * len(shown)
    costs_height = max(3.6, 1.2 + 0.19 * sum(name in curves for name in shown["name"]))
    figure = new_figure(9, scores_height + costs_height)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[scores_height, costs_height])[:, 0]
    _draw_scores(above.subplots(), shown, looks, len(ranked))
    costs, losses = below.subplots(1, 2, width_ratios=[4, 5])
    _draw_costs(costs, shown, looks)
    scored = {str(name): look for name, look in zip(shown["name"], looks) if look.colour != GREY}
    draw_curves(losses, curves, scored)
    label_ends(losses, curve_ends(curves, scored, width=20, lines=1))
    return figure


def _draw_scores(axes: Axes, shown: pd.DataFrame, looks: list[Look], n_candidates: int) -> None:
    for i, (mean, std, look) in enumerate(zip(shown["mean"], shown["std"], looks)):
        axes.errorbar(mean, i, xerr=std, fmt=look.marker, color=look.colour, markersize=6, capsize=3, linewidth=1.2)
    names = [shorten(name, width=40) for name in shown["name"]]
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    best = f" (best {len(shown)} of {n_candidates})" if n_candidates > len(shown) else ""
    style_axes(axes, title=f"Candidates{best}", x="score: mean ± standard deviation over folds")
    disable_math(axes.get_yticklabels())
    _write_columns(axes, shown)


def _write_columns(axes: Axes, shown: pd.DataFrame) -> None:
    """Write score, fit time and number of parameters beside each row."""
    compiled = shown.get("compile_seconds")
    lines = [f"{'score':>8} {'fit':>8} {'' if compiled is None else '  compile '}{'parameters':>11}"]
    for i, (mean, seconds, n_parameters) in enumerate(zip(shown["mean"], shown["seconds"], shown["n_parameters"])):
        score = "failed" if np.isnan(mean) else f"{mean:.4g}"
        size = "" if np.isnan(n_parameters) else f"{n_parameters:,.0f}"
        compilation = "" if compiled is None else f"{_seconds(compiled.iloc[i]):>9} "
        lines.append(f"{score:>8} {_seconds(seconds):>8} {compilation}{size:>11}")
    for y, line in zip([-0.7, *range(len(shown))], lines):
        axes.text(
            1.01, y, line, transform=axes.get_yaxis_transform(), va="center", fontsize=8, family="monospace",
            color="#555555",
        )  # fmt: skip


def _seconds(seconds: float) -> str:
    return "" if np.isnan(seconds) else f"{seconds:.3g} s"


def _draw_costs(axes: Axes, shown: pd.DataFrame, looks: list[Look]) -> None:
    seconds = shown["seconds"].to_numpy(dtype=np.float64)
    for second, mean, look in zip(seconds, shown["mean"], looks):
        axes.scatter(second, mean, c=look.colour, marker=look.marker, s=45, zorder=3)
    finite = seconds[np.isfinite(seconds) & (seconds > 0)]
    log = len(finite) > 0 and finite.max() > 10 * finite.min()
    if log:
        axes.set_xscale("log")
        plain_log_ticks(axes.xaxis)
    style_axes(axes, title="Score against cost", x="time of a fit, without compilation (s)", y="mean score")
