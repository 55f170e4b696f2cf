"""A run, with the entries that are not in the store yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._outcome import Outcome

__all__ = ["Kind", "Point", "Run"]

Kind = Literal["search", "candidate", "fold", "refit", "fit"]


class Point(NamedTuple):
    """One value of a metric; ``time`` in milliseconds since 1970."""

    key: str
    value: float
    time: int
    step: int


@dataclass(eq=False, slots=True)
class Run:
    """A run of the tree.

    The tree fills the outbox and the publisher empties it, so that entries are kept until they are written.
    """

    name: str
    kind: Kind
    start: int
    parent: Run | None = None
    run_id: str | None = None
    outcome: Outcome | None = None
    end: int | None = None
    known_params: set[str] = field(default_factory=set)
    #: The original names of the keys in the store, by kind of entry and key.
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
        """Number of entries that are not in the store yet."""
        entries = len(self.tags) + len(self.params) + len(self.points) + len(self.files)
        return entries + (self.run_id is None) + (self.data is not None) + self.renamed + self.ending

    def rename(self, name: str) -> None:
        """Rename the run."""
        if name != self.name:
            self.name = name
            self.renamed = True

    def add_params(self, params: Mapping[str, str]) -> None:
        """Add parameters; existing ones are kept, since MLflow does not allow changing them."""
        for name in params.keys() - self.known_params:
            self.params[name] = params[name]
        self.known_params |= params.keys()

    def add_points(self, metrics: Mapping[str, float], time: int, step: int = 0) -> None:
        """Add one value per metric."""
        self.points += [Point(key, value, time, step) for key, value in metrics.items()]

    def finish(self, outcome: Outcome, time: int) -> None:
        """End the run, or correct its outcome."""
        if outcome.status != "FINISHED":
            self.tags["seqpipe.error"] = outcome.reason
        self.outcome, self.end, self.ending = outcome, time, True
