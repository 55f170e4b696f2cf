"""Events of a fit from which the run tree is built: small picklable records, created where the fit runs.

::

    Event
    ├── FitBegan      the outermost fit, or a group of such, begins; starts its run
    ├── DataSeen      the data it is fitted to
    ├── SearchBegan   a search begins, with its candidates
    ├── RungBegan     a rung of a successive halving search begins; starts a run
    ├── RunBegan      a fold or the refit begins; starts a run
    ├── Reported      metrics and tags of an epoch or a fit
    ├── RunEnded      a fold, the refit or a rung ended
    ├── FoldScored    a fold was scored, before the search ends
    ├── SearchEnded   the scores of all candidates
    ├── BaselineAdded scores of a simple method, beside which those of the model are judged
    ├── FitEnded      the outermost fit ended, with or without an error
    ├── EntriesAdded  metrics and tags that are logged to the parent run or the refit
    ├── FileAdded     a file of the parent run
    ├── ModelAdded    a model of the refit, or of the parent run without one
    ├── HeldOutScored scores of this model on data that was held out
    └── Released      the parent run of an ended fit is no longer held open
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from seqpipe.callbacks import TaskPath
from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._outcome import Outcome
from seqpipe.tracking._run import Kind
from seqpipe.tracking._search import SearchResults

__all__ = [
    "BaselineAdded",
    "DataSeen",
    "EntriesAdded",
    "Event",
    "FileAdded",
    "FitBegan",
    "FitEnded",
    "FoldScored",
    "HeldOutScored",
    "ModelAdded",
    "Released",
    "Reported",
    "RunBegan",
    "RunEnded",
    "RungBegan",
    "SearchBegan",
    "SearchEnded",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of the fit ``tree`` at ``time``, in milliseconds since 1970."""

    tree: UUID
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FitBegan(Event):
    """The outermost fit begins.

    ``logs_model`` tells whether a `ModelAdded` follows if it succeeds; with a ``key`` the runs of an earlier fit with the same
    key are continued. The ``kind`` is None for a search or fit. Others are no fits themselves, but parents of fits or of each
    other, which name them as their ``group``; their ``key`` tells them apart.
    """

    name: str
    is_search: bool
    logs_model: bool
    params: dict[str, str]
    tags: dict[str, str]
    key: str | None = None
    kind: Kind | None = None
    group: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSeen(Event):
    """The outermost fit received this data."""

    data: DataSet


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBegan(Event):
    """The search at ``path`` begins.

    It tries the values in ``grid``, per parameter; ``searched`` is None where its candidates are known only at its end.
    ``n_fits`` is the number of all fits, the refit included, where it is known, and ``metric`` ranks the candidates.
    """

    path: TaskPath
    n_splits: int
    searched: list[dict[str, str]] | None
    grid: dict[str, list[str]] = field(default_factory=dict)
    n_fits: int | None = None
    metric: str = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class RungBegan(Event):
    """A rung begins, in which each of ``n_candidates`` gets the same ``amount`` of a resource; ``grid`` is that of the search."""

    path: TaskPath
    n_splits: int
    n_candidates: int
    resource: str
    amount: int
    grid: dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan(Event):
    """A fold or the refit begins; ``worker`` is its process and thread, which runs one at a time.

    ``every`` are all parameters of a fold in a rung, whose candidate they tell.
    """

    path: TaskPath
    worker: tuple[int, int]
    params: dict[str, str]
    tags: dict[str, str]
    every: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported(Event):
    """A task of a run reports metrics and tags; ``step`` is its epoch, from 1, or 0."""

    path: TaskPath
    step: int
    metrics: dict[str, float]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """The task at ``path`` ended its run: the fold, refit or rung itself, or a task below it that failed."""

    path: TaskPath
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldScored(Event):
    """The fold at ``path`` was scored; ``scores`` have the names that its run gives them, such as "test_score"."""

    path: TaskPath
    scores: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEnded(Event):
    """The search at ``path`` has scored all candidates."""

    path: TaskPath
    results: SearchResults


@dataclass(frozen=True, slots=True, kw_only=True)
class FitEnded(Event):
    """The outermost fit ended; with ``held`` its run stays open for further entries."""

    outcome: Outcome
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesAdded(Event):
    """Metrics and tags are logged to the parent run, to the refit (else the parent run), or to both.

    ``params`` and a new ``name`` are those of the parent run.
    """

    to: Literal["root", "refit", "both"]
    metrics: dict[str, float]
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineAdded(Event):
    """A baseline was scored on the data that the model is judged on; it becomes a run below the parent run."""

    name: str
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAdded(Event):
    """A file of the parent run; ``file`` is its name in the journal."""

    name: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAdded(Event):
    """A model; ``folder`` is its name in the journal.

    ``name``, ``params`` and ``tags`` are those of the logged model; ``is_fitted`` tells whether it is the estimator of the fit,
    whose metrics are then also those of the model.
    """

    folder: str
    name: str = "model"
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    is_fitted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutScored(Event):
    """The model was scored on held-out data; ``tags`` tell which of the metrics decides between models."""

    data: DataSet
    metrics: dict[str, float]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released(Event):
    """The parent run of an ended fit, which was held open, ends."""

    outcome: Outcome
