"""What a fit tells the run tree: small picklable records, made where the fit runs.

::

    Event
    ├── FitBegan      the outermost fit begins: the parent run
    ├── DataSeen      what it is fitted to
    ├── SearchBegan   a search begins: what its candidates are
    ├── RunBegan      a candidate begins on one split, or the best one on all data: a run of its own
    ├── Reported      an epoch or a fit ends with numbers, words or an error
    ├── RunEnded      such a run is over
    ├── SearchEnded   the scores of all candidates
    └── FitEnded      the outermost fit is over, well or not
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from seqpipe.callbacks import TaskPath
from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._outcome import Outcome
from seqpipe.tracking._search import SearchResults

__all__ = [
    "DataSeen",
    "Event",
    "FitBegan",
    "FitEnded",
    "Reported",
    "RunBegan",
    "RunEnded",
    "SearchBegan",
    "SearchEnded",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in the fit ``tree`` at ``time``, in milliseconds since the epoch."""

    tree: UUID
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FitBegan(Event):
    """The outermost fit begins."""

    name: str
    is_search: bool
    params: dict[str, str]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSeen(Event):
    """The outermost fit was given this data."""

    data: DataSet


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBegan(Event):
    """The search at ``path`` begins; ``searched`` is None where only its end will tell what it tried."""

    path: TaskPath
    n_splits: int
    searched: list[dict[str, str]] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan(Event):
    """A fold or the refit begins; ``worker`` is the process and thread, which does one at a time."""

    path: TaskPath
    worker: tuple[int, int]
    params: dict[str, str]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported(Event):
    """A task at or below a run has numbers and words; ``step`` is its epoch, counted from 1, or 0."""

    path: TaskPath
    step: int
    metrics: dict[str, float]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """A task at ``path`` ended its run: the fold's or refit's own in good order, or any below it badly."""

    path: TaskPath
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEnded(Event):
    """The search at ``path`` has scored all candidates."""

    path: TaskPath
    results: SearchResults


@dataclass(frozen=True, slots=True, kw_only=True)
class FitEnded(Event):
    """The outermost fit is over; with ``held`` its run stays open for more to be written."""

    outcome: Outcome
    held: bool
