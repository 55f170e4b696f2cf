"""Rows of measurements, one ratio each: printed, and saved as JSON for the report."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from _measure import Timing, machine

__all__ = ["RESULTS", "Row", "load_rows", "save_row", "timed_row"]

RESULTS = Path(__file__).parent / "results"


@cache
def _machine() -> str:
    return machine()


def _today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


@dataclass(frozen=True)
class Row:
    """A claim at one size, with the required and the measured ratio.

    Attributes
    ----------
    family : str
        Name of the file in which it is saved.
    claim, where : str
        The comparison; the size and the number of threads.
    required : float
        Required ratio.
    reached, low, high : float or None
        Ratio of medians, lowest and highest ratio of single rounds; None if not measured.
    at_most : bool
        Whether the required ratio is a maximum, as for memory.
    gflops, share : float or None
        Useful arithmetic of our side in GFLOP/s, and its share of the matrix peak of the machine.
    ours, theirs : float or None
        Median seconds of each side.
    rounds : int
        Number of rounds; 0 if unknown.
    others : float
        Share of the cores used by other processes.
    note : str
        Engine or scores, or the reason why there is no ratio.
    """

    family: str
    claim: str
    where: str
    required: float
    reached: float | None = None
    low: float | None = None
    high: float | None = None
    at_most: bool = False
    gflops: float | None = None
    share: float | None = None
    ours: float | None = None
    theirs: float | None = None
    rounds: int = 0
    others: float = 0.0
    note: str = ""
    date: str = field(default_factory=_today)
    machine: str = field(default_factory=_machine)

    @property
    def met(self) -> bool | None:
        """Whether the requirement is met; None if not measured."""
        if self.reached is None:
            return None
        return self.reached <= self.required if self.at_most else self.reached >= self.required

    def __str__(self) -> str:
        sign, verdict = "≤" if self.at_most else "≥", {None: "–", True: "met", False: "MISSED"}[self.met]
        reached = "–" if self.reached is None else f"{self.reached:.2f} ({self.low:.2f}–{self.high:.2f})"
        return f"{self.claim:56} {self.where:24} {sign} {self.required:<5} {reached:22} {verdict:7} {self._remarks()}"

    def _remarks(self) -> str:
        remarks = [self.note]
        if self.ours is not None and self.theirs is not None:
            remarks.append(f"{_time(self.ours)} against {_time(self.theirs)}")
        if self.gflops is not None and self.share is not None:
            remarks.append(f"{self.gflops:.0f} GFLOP/s, {self.share:.0%} of peak")
        if self.others > 0.1:
            remarks.append(f"others took {self.others:.0%} of the cores")
        return "; ".join(remark for remark in remarks if remark)


def timed_row(timing: Timing, ours: str, theirs: str, *, flops: float = 0.0, peak: float = 0.0, **fields: Any) -> Row:
    """Return the row of one comparison.

    Parameters
    ----------
    timing : Timing
        Timing of all sides.
    ours, theirs : str
        Names of the two sides to compare.
    flops : float
        Arithmetic operations per call, if known.
    peak : float
        GFLOP/s of a large matrix product on the machine.
    **fields
        Other fields of the row: family, claim, where, required, note.
    """
    ratio, seconds = timing.ratio(ours, theirs), timing.median(ours)
    if flops:
        fields |= {"gflops": flops / seconds / 1e9, "share": flops / seconds / 1e9 / peak}
    fields |= {"ours": seconds, "theirs": timing.median(theirs), "others": timing.others}
    fields["rounds"] = len(timing.seconds[ours])
    return Row(**fields, reached=ratio.reached, low=ratio.low, high=ratio.high)


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def load_rows(folder: Path) -> list[Row]:
    """Return all rows saved in a folder, ordered by family."""
    rows = [record for path in sorted(folder.glob("*.json")) for record in json.loads(path.read_text("utf-8"))]
    return [Row(**record) for record in rows]


def save_row(row: Row, folder: Path) -> None:
    """Save a row in the file of its family, replacing an older one of the same claim and size."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{row.family}.json"
    records = json.loads(path.read_text("utf-8")) if path.exists() else []
    path.write_text(json.dumps(_replaced(records, asdict(row)), indent=1, ensure_ascii=False) + "\n", "utf-8")


def _replaced(records: Iterable[dict[str, object]], new: dict[str, object]) -> list[dict[str, object]]:
    by_key = {(record["claim"], record["where"]): record for record in records}
    return list((by_key | {(new["claim"], new["where"]): new}).values())
