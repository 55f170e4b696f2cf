"""A run, with the entries that are not in the store yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._keys import stored_key
from seqpipe.tracking._outcome import Outcome
from seqpipe.tracking._view import SearchView

__all__ = ["N_FITS", "Kind", "Point", "Run", "SavedModel", "Scores"]

#: Tag of a search with the number of all its fits.
N_FITS = "seqpipe.n_fits"

Kind = Literal["group", "search", "rung", "candidate", "fold", "refit", "fit", "baseline"]


class Point(NamedTuple):
    """One value of a metric; ``time`` in milliseconds since 1970."""

    key: str
    value: float
    time: int
    step: int


class Scores(NamedTuple):
    """Names of metrics of a run that are also those of its model, the data they belong to, and tags of the model."""

    data: DataSet
    metrics: tuple[str, ...]
    tags: dict[str, str]


class SavedModel(NamedTuple):
    """A model that waits for its upload, with the metrics of its fit, if its run has them."""

    folder: Path
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    fit: Scores | None


@dataclass(eq=False, slots=True)
class Run:
    """A run of the tree.

    The tree fills the outbox and the publisher empties it, so that entries are kept until they are written.

    Attributes
    ----------
    key : str
        Identifies the run in the store, also before its id is known: the same fit gives the same key.
    doubtful : bool
        Whether the store may have entries that are still in the outbox, or an outcome that it was not given.
    may_have_twin : bool
        Whether the store may have another run with this key: a request to create it seemed lost.
    continued : bool
        Whether an earlier fit has written to this run, so that points with the same key and step are those of this fit.
    known_points : set of (str, int), or None
        Keys and steps of the points in the store, once they are known, of a run that is continued.
    was_finished : bool
        Whether the run had finished before it was continued.
    grows : bool
        Whether the run is that of a group or study, to which runs are added after it had finished.
    repeats : bool
        Whether its task began again, as another worker does it if the first one is gone: points that it had are left out.
    """

    name: str
    kind: Kind
    start: int
    key: str
    parent: Run | None = None
    run_id: str | None = None
    artifact_uri: str | None = None
    model_uris: list[str] = field(default_factory=list)
    doubtful: bool = False
    may_have_twin: bool = False
    continued: bool = False
    known_points: set[tuple[str, int]] | None = None
    was_finished: bool = False
    grows: bool = False
    repeats: bool = False
    outcome: Outcome | None = None
    end: int | None = None
    known_params: set[str] = field(default_factory=set)
    #: The last step of each metric.
    last_steps: dict[str, int] = field(default_factory=dict)
    #: The original names of the keys in the store, by kind of entry and key.
    keys: dict[tuple[str, str], str] = field(default_factory=dict)

    # The outbox.
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    models: list[SavedModel] = field(default_factory=list)
    data: DataSet | None = None
    #: Held-out data that is an input of the run, and scores on it that are linked to its model.
    held_out: DataSet | None = None
    scores: Scores | None = None
    view: SearchView | None = None
    renamed: bool = False
    ending: bool = False

    def __post_init__(self) -> None:
        self.tags["seqpipe.kind"] = self.kind

    @property
    def pending(self) -> int:
        """Number of entries that are not in the store yet."""
        return self.pending_contents + self.ending

    @property
    def pending_contents(self) -> int:
        """The same without the outcome, which is written last."""
        entries = len(self.tags) + len(self.params) + len(self.points) + len(self.files) + len(self.models)
        given = [self.data, self.held_out, self.scores, self.view]
        return entries + (self.run_id is None) + sum(each is not None for each in given) + self.renamed

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
        for key, value in metrics.items():
            if self.repeats and step <= self.last_steps.get(key, -1):
                continue
            self.points.append(Point(key, value, time, step))
            self.last_steps[key] = step

    def repeat(self) -> None:
        """Note that the task of the run begins again."""
        self.outcome, self.end, self.ending, self.repeats = None, None, False, True
        self.tags.pop("seqpipe.error", None)

    def finish(self, outcome: Outcome, time: int, *, held: bool = False) -> None:
        """End the run, or correct its outcome; with ``held`` it stays open in the store."""
        if outcome.status != "FINISHED":
            self.tags["seqpipe.error"] = outcome.reason
        self.outcome, self.end, self.ending = outcome, time, not held

    def settle(self) -> None:
        """Empty the outbox, whose entries the store has."""
        names = {"metric": [point.key for point in self.points], "param": [*self.params], "tag": [*self.tags]}
        for kind in names:
            for name in names[kind]:
                stored_key(self.keys, kind, name)
        for entries in (self.tags, self.params, self.points, self.files, self.models):
            entries.clear()
        self.data = self.held_out = self.scores = self.view = None
        self.renamed = self.ending = False
