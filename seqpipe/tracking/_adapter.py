"""The callback that records fits, in the process that writes runs and in every worker.

Workers unpickle a copy that holds only the settings and the channel to which it sends events.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from seqpipe.callbacks import PARTIAL_FIT, Channel, FitListener, FitTask, TaskPath, open_channel
from seqpipe.exceptions import TrackingWarning
from seqpipe.tracking._environment import environment_tags
from seqpipe.tracking._events import Event, FitEnded, FoldScored
from seqpipe.tracking._names import fit_name
from seqpipe.tracking._outcome import now, outcome_of
from seqpipe.tracking._task_events import begin_events, end_events, fit_began
from seqpipe.tracking._tree import RunTree
from seqpipe.tracking._uri import redacted_uri, resolve_uri

if TYPE_CHECKING:
    from seqpipe.tracking._writer import Writer

__all__ = ["IN_CONTEXT", "Place", "RecordedFits"]


#: A tracker, and its group that fits in this context belong to.
IN_CONTEXT: ContextVar[tuple[object, UUID] | None] = ContextVar("group", default=None)


@dataclass(slots=True)
class _Fit:
    """An outermost fit that is running in this process."""

    handled_before: BaseException | None
    group: UUID | None
    X: Any = None
    y: Any = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a tree an outermost fit is recorded that is a part of it; ``params`` are those that a search chose for it."""

    tree: UUID
    path: TaskPath = ()
    params: Mapping[str, Any] = field(default_factory=dict)

    def of(self, task: FitTask) -> FitTask:
        """Return a task of the fit as one of the tree."""
        path = (*self.path, *task.path)
        return replace(task, tree=self.tree, path=path, is_merged=task.is_merged or (task.is_outermost and bool(path)))


class RecordedFits(FitListener):
    """A callback that records each outermost fit as a tree of runs."""

    def __init__(self, experiment: str, tracking_uri: str | None, run_name: str | None, tags: dict[str, str]) -> None:
        super().__init__()
        self.experiment = experiment
        self.tracking_uri = tracking_uri
        self.run_name = run_name
        self.tags = tags
        self._channel: Channel | None = None
        self._places: dict[UUID, Place] = {}
        self._reset()

    #: Whether a model follows a successful fit.
    _logs_model = False

    def _reset(self) -> None:
        """Clear the state that belongs to the process that writes."""
        self._writer: Writer | None = None
        self._writer_pid = 0
        self._opening = threading.Lock()
        self._fits: dict[UUID, _Fit] = {}
        self._tree: RunTree | None = None
        self._held = False
        self._warned = False

    #: The group that fits belong to, unless the context has another one.
    _group: UUID | None = None

    def _current_group(self) -> UUID | None:
        in_context = IN_CONTEXT.get()
        return in_context[1] if in_context is not None and in_context[0] is self else self._group

    def __getstate__(self) -> dict[str, Any]:
        if self._channel is None and self._writer is not None and self._writer_pid == os.getpid():
            self._channel = open_channel(self._writer.receive, owner=self)
        configured = ("experiment", "tracking_uri", "run_name", "tags", "_channel", "_places", "_under_way")
        return {**{name: getattr(self, name) for name in configured}, "_group": self._current_group()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    def opened(self, estimator: Any, task: FitTask) -> None:
        """Create the parent run of an outermost fit.

        Raises
        ------
        TrackingError
            If the store cannot be used.
        """
        self._warned = False
        fit = _Fit(sys.exc_info()[1], self._current_group())
        place = self._place_of(estimator, task, fit.group)
        if place is not None:
            self._places[task.tree] = place
        if place is not None or fit.group is not None:  # a member's run begins with its data, which tell it from others
            self._fits[task.tree] = fit
            return
        name = self.run_name or fit_name(estimator)
        tags = {**environment_tags(), **self.tags}
        began = fit_began(estimator, task, name, tags, logs_model=self._logs_model, key=self._kept_key())
        self._tree = self._open_writer().begin(began)
        self._fits[task.tree] = fit
        self._send([])

    def began(self, estimator: Any, task: FitTask, X: Any, y: Any) -> None:
        """Record the start of a task."""
        group: UUID | None = None
        place = self._places.get(task.tree)
        if task.is_outermost and task.tree in self._fits:
            fit = self._fits[task.tree]
            fit.X, fit.y, group = X, y, fit.group
        if place is not None:  # the tree has its data
            task, X, y, group = place.of(task), None, None, None
        data_name = self.tags.get("dataset", "training data")
        self._record(partial(begin_events, estimator, task, X, y, data_name, group=group))

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        """Record the end of a task and its metadata."""
        error, place = self._propagating(task), self._places.get(task.tree)
        self._record(partial(end_events, estimator, place.of(task) if place else task, metadata, error))

    def scored(self, estimator: Any, task: FitTask, scores: dict[str, float]) -> None:
        """Record scores of a fold."""
        place = self._places.get(task.tree, Place(task.tree))
        self._send([FoldScored(tree=place.tree, time=now(), path=place.of(task).path, scores=scores)])

    def closed(self, estimator: Any, task: FitTask) -> None:
        """End the runs of an outermost fit."""
        error, time = self._propagating(task), now()
        fit, place = self._fits.pop(task.tree, None), self._places.pop(task.tree, Place(task.tree))
        if fit is None:  # the store failed when the fit began
            return
        if error is None and fit.group is not None and task.name == PARTIAL_FIT:
            return  # may continue: its run ends with the group
        try:
            if error is None and fit.group is None:
                self._log_fitted(place, estimator, fit.X, fit.y)
        except BaseException as interrupt:
            error = interrupt
            raise
        finally:
            held = self._held and fit.group is None
            self._send([FitEnded(tree=place.tree, time=time, outcome=outcome_of(error), held=held)])
            if fit.group is None:
                self._flush()

    def _kept_key(self) -> str | None:
        """Return the key of runs that are continued; None here."""
        return None

    def _place_of(self, estimator: Any, task: FitTask, group: UUID | None) -> Place | None:
        """Return the place of an outermost fit that is a part of another tree; None here."""
        return None

    def _log_fitted(self, place: Place, estimator: Any, X: Any, y: Any) -> None:
        """Log the fitted estimator; does nothing here."""

    def _propagating(self, task: FitTask) -> BaseException | None:
        """Return the exception that is leaving the fit; one that was being handled when the fit began does not count."""
        fit, error = self._fits.get(task.tree), sys.exc_info()[1]
        return None if fit is not None and error is fit.handled_before else error

    @property
    def _is_copy(self) -> bool:
        """Whether this is a copy, such as in a worker, that sends events to the process that writes."""
        return self._writer is None and self._channel is not None

    def _open_writer(self) -> Writer:
        with self._opening:  # fits in several threads share the writer
            if self._writer is None or self._writer_pid != os.getpid():
                # Imported when a fit begins: it imports MLflow, which takes a second and which no worker needs.
                from seqpipe.tracking._writer import Writer

                self._writer = Writer(resolve_uri(self.tracking_uri), self.experiment)
                self._writer_pid = os.getpid()
                self._channel = None  # opened for the first worker
                weakref.finalize(self, self._writer.stop)
            return self._writer

    def _record(self, translate: Callable[[], Iterable[Event]]) -> None:
        """Send the events of a task; an error in doing so does not stop the fit."""
        try:
            events = list(translate())
        except Exception as error:
            self._warn(f"A task of the fit was not recorded: {type(error).__name__}: {error}")
            return
        self._send(events)

    def _send(self, events: list[Event]) -> None:
        for event in events:
            if self._writer is not None:
                self._writer.receive(event)
            elif self._channel is None or not self._channel.send(event):
                self._warn(
                    "The process that writes runs cannot be reached from this one, whose part of the fit is not recorded."
                )
        if self._writer is not None:
            self._warn_of_failures(self._writer)

    def _warn_of_failures(self, writer: Writer) -> None:
        if writer.failure is not None:
            self._warn(
                f"A write to the tracking store {redacted_uri(writer.uri)!r} failed ({writer.failure}). The fit "
                "continues; the data is kept and written again later."
            )
        if writer.kept.failure is not None:
            self._warn(
                f"The journal of the fit cannot be written ({writer.kept.failure}). The fit continues; what the tracking store "
                "does not have when this process ends is lost. Set SEQPIPE_JOURNAL to a folder that can be written."
            )

    def _flush(self) -> None:
        """Wait until everything is written, and warn about what is not."""
        if self._writer is None:
            return
        lost = self._writer.drain()
        store = redacted_uri(self._writer.uri)
        if left_out := self._writer.take_left_out():
            reasons = "; ".join(f"{what} ({reason})" for what, reason in left_out.items())
            warnings.warn(f"Left out of the runs in {store!r}: {reasons}.", TrackingWarning, stacklevel=2)
        if lost:
            warnings.warn(
                f"{lost} entries were not written to {store!r} ({self._writer.failure}). "
                f"The fitted estimator is not affected. {self._writer.where_kept()}",
                TrackingWarning,
                stacklevel=2,
            )
        else:
            self._send([])

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(message, TrackingWarning, stacklevel=2)
