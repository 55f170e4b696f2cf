"""Results of the comparison of defaults: table rows, and counts of wins and ties."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["OURS", "Result", "Results", "counts", "header", "row", "with_scores"]

OURS, GRU, ROCKET = "seqpipe", "hand-written GRU", "MiniRocket"
#: Smallest difference that the tables show.
_RESOLUTION = 0.0005
#: What the tables stand between in a page.
_BEGIN, _END = "<!-- scores: written by make {target} -->", "<!-- end of scores -->"


@dataclass(frozen=True)
class Result:
    """Held-out scores of a method, one per seed, and the CPU seconds of each fit and prediction."""

    scores: tuple[float, ...]
    seconds: tuple[float, ...]

    def __str__(self) -> str:
        median, spread = statistics.median(self.scores), (max(self.scores) - min(self.scores)) / 2
        shown = f"{median:.3f}" if len(self.scores) == 1 else f"{median:.3f} ±{spread:.3f}"
        return f"{shown} ({statistics.median(self.seconds):.1f} s)"


@dataclass(frozen=True)
class Results:
    """Results of one problem by method; None where a method was not run."""

    name: str
    size: str
    score: str
    by_method: dict[str, Result | None] = field(default_factory=dict)

    def against(self, baseline: str) -> str | None:
        """Return "win", "tie" or "loss" of seqpipe: a tie is a mean difference within one standard error of it."""
        ours, theirs = self.by_method[OURS], self.by_method[baseline]
        if ours is None or theirs is None:
            return None
        sign = -1 if self.score == "MASE" else 1
        leads = [sign * (a - b) for a, b in zip(ours.scores, theirs.scores)]
        error = statistics.stdev(leads) / len(leads) ** 0.5 if len(leads) > 1 else 0.0
        lead = statistics.mean(leads)
        if abs(lead) <= max(error, _RESOLUTION):
            return "tie"
        return "win" if lead > 0 else "loss"


def header(methods: Sequence[str]) -> str:
    """Return the first two lines of a Markdown table."""
    columns = ["problem", "size", "score", *methods]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def row(results: Results) -> str:
    """Return the table row of a problem, with the best median score in bold."""
    found = {method: result for method, result in results.by_method.items() if result is not None}
    medians = {method: round(statistics.median(result.scores), 3) for method, result in found.items()}
    best = (min if results.score == "MASE" else max)(medians.values())
    cells = [results.name, results.size, results.score]
    for method in results.by_method:
        shown = str(found[method]) if method in found else "–"
        cells.append(f"**{shown}**" if medians.get(method) == best else shown)
    return f"| {' | '.join(cells)} |"


def counts(table: Sequence[Results]) -> str:
    """Return the wins, ties and losses against each baseline, and of how many problems none is lost."""
    methods = [method for method in table[0].by_method if method != OURS]
    lines = []
    for method in methods:
        outcomes = [outcome for results in table if (outcome := results.against(method)) is not None]
        if outcomes:
            n_wins, n_ties, n_losses = (outcomes.count(kind) for kind in ("win", "tie", "loss"))
            lines.append(f"- against {method}: {n_wins} wins, {n_ties} ties, {n_losses} losses")
    others = [method for method in methods if method != ROCKET]
    kept = sum(all(results.against(method) != "loss" for method in others) for results in table)
    but = f" but {ROCKET}" if ROCKET in methods else ""
    lines.append(f"- against every baseline{but}: a win or a tie on {kept} of {len(table)}, {kept / len(table):.0%}")
    return "\n".join(lines)


def with_scores(page: str, scores: str, target: str) -> str:
    """Return a page with new tables in the place of the old ones, which this target of the Makefile wrote."""
    begin = _BEGIN.format(target=target)
    before, rest = page.split(begin)
    return f"{before}{begin}\n\n{scores.strip()}\n\n{_END}{rest.split(_END)[1]}"
