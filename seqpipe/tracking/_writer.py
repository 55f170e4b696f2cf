"""The one thread that talks to the store."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import TypeVar
from uuid import UUID

from seqpipe.exceptions import TrackingError
from seqpipe.tracking._events import Event, FitBegan
from seqpipe.tracking._outcome import Outcome, now
from seqpipe.tracking._publish import Publisher
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._run import Run
from seqpipe.tracking._store import check_reachable, experiment_id, open_client, refused
from seqpipe.tracking._tree import RunTree

__all__ = ["Writer"]

T = TypeVar("T")

#: Seconds between two rounds of writing, and between two tries while somebody waits.
_INTERVAL = 1.0
_RETRY = 0.5
#: Seconds without progress after which a fit's end no longer waits; an opening or upload may take longer.
_PATIENCE = 10.0
_LONG_PATIENCE = 120.0


class Writer:
    """Grows run trees from events and writes them, in a thread of its own.

    An event may come from any thread; it is handed over and never waits for the store.

    Parameters
    ----------
    uri : str
        Tracking URI of the store.
    experiment : str
        Name of the experiment.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri = uri
        self._experiment = experiment
        self._tasks: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._publisher: Publisher | None = None
        self._trees: dict[UUID, RunTree] = {}
        self._left_out: dict[str, str] = {}
        self._dirty = False
        self._next_round = 0.0
        self._progress = 0.0
        #: What first went wrong in the present fit, None where nothing did.
        self.failure: str | None = None
        threading.Thread(target=self._work, name="seqpipe-tracking", daemon=True).start()

    def open(self) -> None:
        """Open the store, which may take seconds the first time.

        Raises
        ------
        TrackingError
            If the store refuses.
        """
        self.publish(lambda _: None)

    def begin(self, event: FitBegan) -> RunTree:
        """Make the parent run of a fit and return the tree that grows from it.

        Raises
        ------
        TrackingError
            If the store refuses.
        """
        return self.ask(partial(self._begin, event), patience=_LONG_PATIENCE)

    def receive(self, event: Event) -> None:
        """Take an event of a fit."""
        self.post(partial(self._apply, event))

    def post(self, task: Callable[[], object]) -> None:
        """Run a task that changes runs on the writer's thread, some time soon."""
        self._tasks.put(task)

    def ask(self, task: Callable[[], T], *, patience: float = _PATIENCE) -> T:
        """Run a task on the writer's thread and return what it returns.

        Raises
        ------
        TrackingError
            If the store neither answers nor makes progress for ``patience`` seconds.
        """
        future: Future[T] = Future()
        self._tasks.put(partial(_answer, future, task))
        progress = None
        while not future.done() and progress != self._progress:
            progress = self._progress
            wait([future], timeout=patience)
        if not future.done():
            raise refused(self.uri, TimeoutError(f"no answer in {patience:.0f} seconds"))
        return future.result()

    def publish(self, upload: Callable[[Publisher], T]) -> T:
        """Run something that writes on the writer's thread, at once, and return what it returns.

        Raises
        ------
        TrackingError
            If the store refuses.
        """
        try:
            return self.ask(lambda: upload(self._open()), patience=_LONG_PATIENCE)
        except TrackingError:
            raise
        except Exception as error:
            raise refused(self.uri, error) from error

    def drain(self) -> int:
        """Write everything; return the number of entries that the store would not take."""
        try:
            return self.ask(self._drain, patience=2 * _PATIENCE)
        except TrackingError as error:
            self._note(error)
            return self._pending()

    def take_left_out(self) -> dict[str, str]:
        """Return what is in no run and never will be, with the reasons, once."""
        left_out, self._left_out = self._left_out, {}
        if self._publisher is not None:
            left_out |= self._publisher.left_out
            self._publisher.left_out = {}
        return left_out

    def release(self, outcome: Outcome) -> None:
        """End the runs of the fits that are over but were held open."""
        self.post(partial(self._release, outcome, now()))

    def stop(self) -> None:
        """Let the thread end."""
        self._tasks.put(None)

    def _work(self) -> None:
        while True:
            try:
                task = self._tasks.get(timeout=self._seconds_to_next_round() if self._dirty else None)
            except queue.Empty:
                self._round()
                continue
            if task is None:
                return
            try:
                task()
            except Exception as error:
                self._note(error)
            self._dirty = True

    def _seconds_to_next_round(self) -> float:
        return max(0.0, self._next_round - time.monotonic())

    def _note(self, error: Exception) -> None:
        self.failure = self.failure or f"{type(error).__name__}: {error}"

    def _open(self) -> Publisher:
        if self._publisher is None:
            client = open_client(self.uri, create=True)
            self._publisher = Publisher(client, experiment_id(client, self._experiment))
        return self._publisher

    def _begin(self, event: FitBegan) -> RunTree:
        self.failure = None
        publisher, tree = self._open(), RunTree(event)
        try:
            check_reachable(self.uri)
            publisher.publish(tree.root)
        except Exception as error:
            raise refused(self.uri, error) from error
        self._trees = {key: kept for key, kept in self._trees.items() if _is_open(kept)}
        self._trees[event.tree] = tree
        return tree

    def _apply(self, event: Event) -> None:
        if event.tree not in self._trees:
            return
        try:
            self._trees[event.tree].apply(event)
        except Exception as error:  # not the store's fault, so nothing to try again
            self._left_out[type(event).__name__] = f"{type(error).__name__}: {error}"

    def _release(self, outcome: Outcome, time: int) -> None:
        for tree in self._trees.values():
            if tree.over and tree.root.outcome is None:
                tree.release(outcome, time)

    def _pending(self) -> int:
        return sum(run.pending for tree in self._trees.values() for run in tree.runs)

    def _drain(self) -> int:
        self._progress = time.monotonic()
        self._round()
        while self._dirty and time.monotonic() - self._progress < _PATIENCE:
            time.sleep(_RETRY)
            self._round()
        return self._pending()

    def _round(self) -> None:
        """Write what is pending, each run for itself: one that is refused does not hold up the others."""
        self._next_round = time.monotonic() + _INTERVAL
        self._dirty = False
        runs = [run for tree in self._trees.values() for run in tree.runs if run.pending]
        try:
            if runs:
                check_reachable(self.uri)
        except OSError as error:
            self._dirty = True
            self._note(error)
            return
        with quiet():
            for run in runs:
                self._publish(run)

    def _publish(self, run: Run) -> None:
        try:
            self._open().publish(run)
            self._progress = time.monotonic()
        except Exception as error:
            self._dirty = True
            self._note(error)


def _is_open(tree: RunTree) -> bool:
    return tree.root.outcome is None or any(run.pending for run in tree.runs)


def _answer(future: Future[T], task: Callable[[], T]) -> None:
    try:
        future.set_result(task())
    except BaseException as error:
        future.set_exception(error)
