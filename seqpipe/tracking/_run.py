"""One run: what it is, and what about it the store has not been told yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._outcome import Outcome

__all__ = ["Kind", "Point", "Run"]

Kind = Literal["search", "candidate", "fold", "refit", "fit"]


class Point(NamedTuple):
    """One value of a metric; ``time`` in milliseconds since the epoch."""

    key: str
    value: float
    time: int
    step: int


@dataclass(eq=False, slots=True)
class Run:
    """A run of the tree.

    The tree fills its outbox and the publisher empties it, so that what a store refuses today is still there
    tomorrow.
    """

    name: str
    kind: Kind
    start: int
    parent: Run | None = None
    run_id: str | None = None
    outcome: Outcome | None = None
    end: int | None = None
    known_params: set[str] = field(default_factory=set)
    #: The names behind the keys that the store knows, by kind of entry and key.
    keys: dict[tuple[str, str], str] = field(default_factory=dict)

    # The outbox.
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    data: DataSet | None = None
    renamed: bool = False
    ending: bool = False

    def __post_init__(self) -> None:
        self.tags["seqpipe.kind"] = self.kind

    @property
    def pending(self) -> int:
        """Entries that the store does not have yet."""
        entries = len(self.tags) + len(self.params) + len(self.points) + len(self.files)
        return entries + (self.run_id is None) + (self.data is not None) + self.renamed + self.ending

    def rename(self, name: str) -> None:
        """Call the run something else."""
        if name != self.name:
            self.name = name
            self.renamed = True

    def add_params(self, params: Mapping[str, str]) -> None:
        """Add parameters; one that the run has already stays as it is, since a store never changes it."""
        for name in params.keys() - self.known_params:
            self.params[name] = params[name]
        self.known_params |= params.keys()

    def add_points(self, metrics: Mapping[str, float], time: int, step: int = 0) -> None:
        """Add one value for each metric."""
        self.points += [Point(key, value, time, step) for key, value in metrics.items()]

    def finish(self, outcome: Outcome, time: int) -> None:
        """End the run, or correct how it ended."""
        if outcome.status != "FINISHED":
            self.tags["seqpipe.error"] = outcome.reason
        self.outcome, self.end, self.ending = outcome, time, True
