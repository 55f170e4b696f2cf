"""The thread that writes to the store."""

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
from seqpipe.tracking._store import check_reachable, experiment_id, open_client, store_error
from seqpipe.tracking._tree import RunTree

__all__ = ["Writer"]

T = TypeVar("T")

#: Seconds between two writes, and between two retries while a caller waits.
_INTERVAL = 1.0
_RETRY = 0.5
#: Seconds without progress after which a caller stops waiting for the store to open, or for an upload.
_LONG_TIMEOUT = 120.0


class Writer:
    """Builds run trees from events and writes them, in its own thread.

    Events may come from any thread; passing one never waits for the store.

    Parameters
    ----------
    uri : str
        Tracking URI of the store.
    experiment : str
        Name of the experiment.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri = uri
        #: Seconds without progress after which the end of a fit stops waiting.
        self.timeout = 10.0
        self._experiment = experiment
        self._tasks: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._publisher: Publisher | None = None
        self._trees: dict[UUID, RunTree] = {}
        self._left_out: dict[str, str] = {}
        self._dirty = False
        self._next_write = 0.0
        self._progress = 0.0
        #: The first failure of the current fit, or None.
        self.failure: str | None = None
        threading.Thread(target=self._run, name="seqpipe-tracking", daemon=True).start()

    def open(self) -> None:
        """Open the store, which may take seconds the first time.

        Raises
        ------
        TrackingError
            If the store cannot be used.
        """
        self.publish(lambda _: None)

    def begin(self, event: FitBegan) -> RunTree:
        """Create the parent run of a fit and return its tree.

        Raises
        ------
        TrackingError
            If the store cannot be used.
        """
        return self.call(partial(self._begin, event), timeout=_LONG_TIMEOUT)

    def receive(self, event: Event) -> None:
        """Apply an event of a fit, asynchronously."""
        self.post(partial(self._apply, event))

    def post(self, task: Callable[[], object]) -> None:
        """Run a task that changes runs on the writer's thread, asynchronously."""
        self._tasks.put(task)

    def call(self, task: Callable[[], T], *, timeout: float | None = None) -> T:
        """Run a task on the writer's thread and return its result.

        Raises
        ------
        TrackingError
            If the store neither responds nor makes progress for ``timeout`` seconds, by default those of the writer.
        """
        timeout = self.timeout if timeout is None else timeout
        future: Future[T] = Future()
        self._tasks.put(partial(_resolve, future, task))
        progress = None
        while not future.done() and progress != self._progress:
            progress = self._progress
            wait([future], timeout=timeout)
        if not future.done():
            raise store_error(self.uri, TimeoutError(f"no response in {timeout:.0f} seconds"))
        return future.result()

    def publish(self, upload: Callable[[Publisher], T]) -> T:
        """Run an upload on the writer's thread and return its result.

        Raises
        ------
        TrackingError
            If the store cannot be used.
        """
        try:
            return self.call(lambda: upload(self._open()), timeout=_LONG_TIMEOUT)
        except TrackingError:
            raise
        except Exception as error:
            raise store_error(self.uri, error) from error

    def drain(self) -> int:
        """Write everything; return the number of entries that could not be written."""
        try:
            return self.call(self._drain, timeout=2 * self.timeout)
        except TrackingError as error:
            self._set_failure(error)
            return self._pending()

    def take_left_out(self) -> dict[str, str]:
        """Return and clear the entries that were dropped, with the reasons."""
        left_out, self._left_out = self._left_out, {}
        if self._publisher is not None:
            left_out |= self._publisher.left_out
            self._publisher.left_out = {}
        return left_out

    def release(self, outcome: Outcome) -> None:
        """End the root runs of ended fits that were held open."""
        self.post(partial(self._release, outcome, now()))

    def stop(self) -> None:
        """Stop the thread."""
        self._tasks.put(None)

    def _run(self) -> None:
        while True:
            try:
                task = self._tasks.get(timeout=self._seconds_to_next_write() if self._dirty else None)
            except queue.Empty:
                self._write_pending()
                continue
            if task is None:
                return
            try:
                task()
            except Exception as error:
                self._set_failure(error)
            self._dirty = True

    def _seconds_to_next_write(self) -> float:
        return max(0.0, self._next_write - time.monotonic())

    def _set_failure(self, error: Exception) -> None:
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
            raise store_error(self.uri, error) from error
        self._trees = {key: kept for key, kept in self._trees.items() if _is_open(kept)}
        self._trees[event.tree] = tree
        return tree

    def _apply(self, event: Event) -> None:
        if event.tree not in self._trees:
            return
        try:
            self._trees[event.tree].apply(event)
        except Exception as error:  # not an error of the store, so a retry would not help
            self._left_out[type(event).__name__] = f"{type(error).__name__}: {error}"

    def _release(self, outcome: Outcome, time: int) -> None:
        for tree in self._trees.values():
            if tree.ended and tree.root.outcome is None:
                tree.release(outcome, time)

    def _pending(self) -> int:
        return sum(run.pending for tree in self._trees.values() for run in tree.runs)

    def _drain(self) -> int:
        self._progress = time.monotonic()
        self._write_pending()
        while self._dirty and time.monotonic() - self._progress < self.timeout:
            time.sleep(_RETRY)
            self._write_pending()
        return self._pending()

    def _write_pending(self) -> None:
        """Write pending entries run by run, so that a failing run does not block the others."""
        self._next_write = time.monotonic() + _INTERVAL
        self._dirty = False
        runs = [run for tree in self._trees.values() for run in tree.runs if run.pending]
        try:
            if runs:
                check_reachable(self.uri)
        except OSError as error:
            self._dirty = True
            self._set_failure(error)
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
            self._set_failure(error)


def _is_open(tree: RunTree) -> bool:
    return tree.root.outcome is None or any(run.pending for run in tree.runs)


def _resolve(future: Future[T], task: Callable[[], T]) -> None:
    try:
        future.set_result(task())
    except BaseException as error:
        future.set_exception(error)
