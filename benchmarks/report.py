"""Write docs/speed.md from the results of the benchmarks in benchmarks/results.

    python benchmarks/report.py

Missed claims stay in the table, with the reason in benchmarks/reasons.toml.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from _claims import NOWHERE_SLOWER
from _rows import RESULTS, Row, load_rows
from cells import PLUGINS, PROBLEMS

__all__ = ["main", "report"]

_HERE = Path(__file__).parent
#: Number of rounds of a figure, unless its note states another.
_ROUNDS = 7
_FAMILIES = ("gru", "rnn", "lstm", "plugins", "busy", "linear", "ragged", "peers", "memory")

_INTRODUCTION = """# Speed

The speed of the engines behind `Recurrent`, compared with torch's own modules, with a hand-written loop over time and, for
whole fits, with other libraries. `make bench` runs all benchmarks in about twenty minutes and writes this page.

A figure is a ratio of medians, the time of the other side divided by ours; both sides alternate in one process over at
least seven rounds, unless the note states fewer. The spread is the lowest and the highest ratio of a single round. Before a
row is timed, both sides are checked to give the same outputs and gradients, to 1e-4 of their norm (or, where rounding
decides the sign of a ReLU's input, ours to be as close as theirs to the result in float64), and whole fits to reach the same
held-out score. A training step is one forward and backward pass without optimizer. torch.nn and the loop get their input
time first, which is faster for them.
"""


def report(rows: list[Row], tables: dict[str, str], reasons: dict[str, str]) -> str:
    """Return the page.

    Parameters
    ----------
    rows : list of Row
        All measurements.
    tables : dict of str
        Output of other scripts, by name.
    reasons : dict of str
        Reasons why claims were missed, by claim.
    """
    rows = sorted(rows, key=lambda row: _FAMILIES.index(row.family))
    parts = [_INTRODUCTION, _measured_on(rows), _sizes(), _claims(rows, reasons), _everywhere(rows)]
    parts += [f"## `benchmarks/{name}.py`\n\n{text.strip()}\n" for name, text in sorted(tables.items())]
    return "\n".join(part for part in parts if part)


def _measured_on(rows: list[Row]) -> str:
    runs = {row.machine: sorted(r.date for r in rows if r.machine == row.machine) for row in rows}
    spans = {machine: " to ".join(sorted({dates[0], dates[-1]})) for machine, dates in runs.items()}
    return "\n".join(f"Measured {span} on: {machine}." for machine, span in spans.items()) + "\n"


def _sizes() -> str:
    lines = [
        f"| {letter} | {p.batch} | {p.steps} | {p.inputs} | {p.hidden} | {p.layers} |" for letter, p in PROBLEMS.items()
    ]
    head = "| size | batch | steps | inputs | hidden | layers |\n|---|---|---|---|---|---|"
    plugins = f"The plug-in cells are {', '.join(PLUGINS)}: see `benchmarks/cells.py`; each has a plain `step`."
    return "\n".join([head, *lines, "", plugins, ""])


def _claims(rows: list[Row], reasons: dict[str, str]) -> str:
    aimed = [row for row in rows if row.required != NOWHERE_SLOWER]
    groups: dict[tuple[str, str], list[Row]] = {_claim_and_threads(row): [] for row in aimed}
    for row in aimed:
        groups[_claim_and_threads(row)].append(row)
    lines = [_claim_line(group, reasons) for group in groups.values()]
    reached = sum(row.met is True for row in aimed)
    head = [
        "## Targets\n",
        f"{reached} of {len(aimed)} targets are reached; the others are bold. ≤ marks a maximum.\n",
        "| claim | at | at least | reached | spread | note |\n|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *lines, ""])


def _claim_and_threads(row: Row) -> tuple[str, str]:
    return row.claim, row.where.rpartition(", ")[2]


def _claim_line(group: list[Row], reasons: dict[str, str]) -> str:
    claim, threads = _claim_and_threads(group[0])
    sizes = ", ".join(row.where.rpartition(", ")[0] for row in group)
    required = ", ".join(f"{'≤ ' if row.at_most else ''}{row.required:g}" for row in group)
    reached = ", ".join(_figure(row) for row in group)
    spread = ", ".join("–" if row.low is None else f"{row.low:.2f}–{row.high:.2f}" for row in group)
    notes = [*_distinct(row.note for row in group), _share(group), _disturbed(group), _few_rounds(group)]
    if not all(row.met for row in group):
        notes.append(reasons.get(claim, ""))
    note = "; ".join(note for note in notes if note)
    return f"| {claim} | {sizes}; {threads} | {required} | {reached} | {spread} | {note} |"


def _figure(row: Row) -> str:
    if row.reached is None:
        return "**–**"
    return f"{row.reached:.2f}" if row.met else f"**{row.reached:.2f}**"


def _share(group: list[Row]) -> str:
    speeds = [row.gflops for row in group if row.gflops is not None]
    shares = [row.share for row in group if row.share is not None]
    if not speeds or not shares:
        return ""
    return f"{min(speeds):.0f} to {max(speeds):.0f} GFLOP/s, {min(shares):.0%} to {max(shares):.0%} of the matrix peak"


def _disturbed(group: list[Row]) -> str:
    others = max(row.others for row in group)
    return f"other processes took up to {others:.0%} of the cores" if others > 0.1 else ""


def _few_rounds(group: list[Row]) -> str:
    fewest = min((row.rounds for row in group if row.rounds), default=_ROUNDS)
    return f"{fewest} rounds" if fewest < _ROUNDS else ""


def _distinct(notes: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(notes))


def _everywhere(rows: list[Row]) -> str:
    """Return all ratios at A to E, one line per claim and number of threads."""
    lettered = [row for row in rows if row.where.partition(", ")[0] in PROBLEMS and row.family != "busy"]
    if not lettered:
        return ""
    kept: dict[tuple[str, str], dict[str, Row]] = {_claim_and_threads(row): {} for row in lettered}
    for row in lettered:
        kept[_claim_and_threads(row)][row.where.partition(", ")[0]] = row
    lines = [_ratios(*key, found) for key, found in kept.items()]
    slower = sum(row.reached is not None and row.reached < NOWHERE_SLOWER for row in lettered)
    head = [
        "## All sizes\n",
        f"Every size, on one thread and two, should reach {NOWHERE_SLOWER}; {slower} of {len(lettered)} do not (bold).\n",
        f"| claim | threads | {' | '.join(PROBLEMS)} |\n|---|---|{'---|' * len(PROBLEMS)}",
    ]
    return "\n".join([*head, *lines, ""])


def _ratios(claim: str, threads: str, found: dict[str, Row]) -> str:
    shown = []
    for letter in PROBLEMS:
        reached = found[letter].reached if letter in found else None
        bold = "**" if reached is not None and reached < NOWHERE_SLOWER else ""
        shown.append("–" if reached is None else f"{bold}{reached:.2f}{bold}")
    return f"| {claim} | {threads.split()[0]} | {' | '.join(shown)} |"


def main(arguments: list[str]) -> int:
    """Read the results and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of results")
    parser.add_argument("--to", type=Path, default=_HERE.parent / "docs" / "speed.md", help="the page")
    given = parser.parse_args(arguments)
    rows = load_rows(given.results)
    if not rows:
        print(f"Nothing was measured yet: {given.results} has no rows. Run benchmarks/engines.py.", file=sys.stderr)
        return 1
    tables = {path.stem: path.read_text("utf-8") for path in given.results.glob("*.md")}
    reasons = tomllib.loads((_HERE / "reasons.toml").read_text("utf-8"))
    given.to.write_text(report(rows, tables, reasons), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
