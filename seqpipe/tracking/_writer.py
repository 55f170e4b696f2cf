"""The thread that writes to the store."""

from __future__ import annotations

import os
import queue
import shlex
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

from seqpipe.exceptions import TrackingError
from seqpipe.tracking._database import keep_connections
from seqpipe.tracking._events import Event, FitBegan, FitEnded, Released
from seqpipe.tracking._experiment_id import experiment_id
from seqpipe.tracking._kept_events import KeptEvents
from seqpipe.tracking._outcome import UNRECORDED, Outcome, now
from seqpipe.tracking._place import is_known, remember
from seqpipe.tracking._process import BEAT, BEAT_SECONDS, process_tags
from seqpipe.tracking._publish import Publisher
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._reach import StoreAwayError, check_reachable, is_away, reason_of, store_error, without_retries
from seqpipe.tracking._stale import close_stale_runs
from seqpipe.tracking._store import open_client
from seqpipe.tracking._tree import RunTree, add_tree
from seqpipe.tracking._uri import database_path, redacted_uri

__all__ = ["Writer"]

T = TypeVar("T")

#: Seconds without progress after which the end of a fit stops waiting.
_TIMEOUT = 9.5
#: Seconds between two writes, and between two looks at a store for which a caller waits.
_INTERVAL, _RETRY = 1.0, 0.25
#: Seconds without progress after which a caller stops waiting for a store that was never used, or for an upload.
_LONG_TIMEOUT = 120.0
#: The same for a store for which a caller has waited in vain before.
_SHORT_TIMEOUT = 1.0


class Writer:
    """Builds run trees from events and writes them, in its own thread.

    Events may come from any thread. Passing one never waits for the store: it is in the journal when `receive` returns, and
    the store gets it later.

    Parameters
    ----------
    uri : str
        Tracking URI of the store.
    experiment : str
        Name of the experiment.

    Attributes
    ----------
    timeout : float
        Seconds without progress after which the end of a fit stops waiting.
    failure : str or None
        The first failure of the store in the current fit.
    kept : KeptEvents
        The journal.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri = uri
        self.timeout = _TIMEOUT
        self.failure: str | None = None
        header = {"store": redacted_uri(uri), "experiment": experiment, "process": process_tags()}
        self.kept = KeptEvents(uri, header)
        self._experiment = experiment
        self._order = threading.Lock()  # events are applied in the order of the journal
        self._tasks: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._publisher: Publisher | None = None
        self._trees: dict[UUID, RunTree] = {}
        self._held: set[UUID] = set()
        self._left_out: dict[str, str] = {}
        self._unapplied = 0
        self._applied = 0
        self._dirty = False
        self._is_away = False
        self._progress = self._next_write = 0.0
        self._next_beat = time.monotonic() + BEAT_SECONDS
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="seqpipe-tracking", daemon=True)
        self._thread.start()

    # ---- called by the threads that fit

    def begin(self, event: FitBegan) -> RunTree:
        """Create the parent run of a fit and return its tree.

        If a store that was used before does not answer, the fit goes on, and the run is created later.

        Raises
        ------
        TrackingError
            If the store cannot be used.
        """
        self.failure, self._is_away = None, False
        answers = self._try(self._open)
        tree = self._add_tree(event)
        try:
            if answers:
                self._try(partial(self._publish_now, tree))
        except TrackingError:
            del self._trees[event.tree]
            raise
        return self._trees[event.tree]

    def receive(self, event: Event) -> None:
        """Keep an event of a fit, and apply it asynchronously."""
        with self._order:
            self.kept.append(event)
            if isinstance(event, FitEnded) and event.held:
                self._held.add(event.tree)
            self._unapplied += 1
            self._tasks.put(partial(self._apply, event, self.kept.count))

    def release(self, outcome: Outcome) -> None:
        """End the root runs of ended fits that were held open."""
        for tree in list(self._held):
            self._held.discard(tree)
            self.receive(Released(tree=tree, time=now(), outcome=outcome))

    def drain(self) -> int:
        """Write everything; return the number of entries that could not be written in time."""
        since = time.monotonic()
        try:
            while self._call(self._write_now, self.timeout, since):
                if time.monotonic() - max(since, self._progress) > self._patience(self.timeout):
                    raise store_error(self.uri, TimeoutError("no response"))
                time.sleep(_RETRY)
        except TrackingError as error:
            self._is_away = True
            self._set_failure(error)
            return self._pending() + self._unapplied
        return 0  # what is pending by now are later events, of fits in other threads

    def take_left_out(self) -> dict[str, str]:
        """Return and clear the entries that were dropped, with the reasons."""
        left_out, self._left_out = self._left_out, {}
        if self._publisher is not None:
            left_out |= self._publisher.left_out
            self._publisher.left_out = {}
        return left_out

    def experiment_id(self) -> str:
        """Return the id of the experiment.

        Raises
        ------
        TrackingError
            If the store has not answered yet.
        """
        if self._publisher is None:
            raise store_error(self.uri, TimeoutError("it has not answered yet"))
        return self._publisher.experiment_id

    def new_path(self) -> Path:
        """Return the path of a new file or folder that waits for its upload."""
        return self.kept.folder / uuid4().hex

    def where_kept(self) -> str:
        """Return a sentence on where that is which the store does not have."""
        if self.kept.journal is None or self.kept.failure is not None:
            return f"What is missing is lost when this process ends ({self.kept.failure})."
        command = f"seqpipe sync --uri {shlex.quote(redacted_uri(self.uri))}"
        return (
            f"What is missing is kept in the journal {str(self.kept.journal)!r} and is written when the store answers: by this "
            f'process, the next one that uses the store, or "{command}".'
        )

    def stop(self) -> None:
        """Stop the thread, and delete the journal if the store has everything."""
        if os.getpid() == self._pid:  # a forked process has no such thread, and the journal is not its own
            self._tasks.put(None)
            if threading.current_thread() is not self._thread:
                self._thread.join(_SHORT_TIMEOUT)

    def _add_tree(self, event: FitBegan) -> RunTree:
        with self._order:
            self._trees = {key: tree for key, tree in self._trees.items() if _is_open(tree)}
            if not self._trees and not self._unapplied:
                self.kept.discard()
            self.kept.begin()
            self.kept.append(event)
            add_tree(self._trees, event, self.kept.folder)
            self._unapplied += 1
            self._tasks.put(partial(self._note_applied, self.kept.count))
        return self._trees[event.tree]

    def _try(self, task: Callable[[], object]) -> bool:
        """Run a task on the writer's thread and return whether the store answers; if not, that is an error of a new one."""
        known = is_known(self.uri)
        try:
            self._call(task, self.timeout if known else _LONG_TIMEOUT)
        except StoreAwayError as error:
            if not known:
                raise
            self._set_failure(error)
            return False
        return True

    def _call(self, task: Callable[[], T], timeout: float, since: float | None = None) -> T:
        """Run a task on the writer's thread and return its result.

        Raises
        ------
        TrackingError
            If the store cannot be used, or neither responds nor makes progress for ``timeout`` seconds, counted from now or
            ``since``.
        """
        future: Future[T] = Future()
        self._tasks.put(partial(_resolve, future, task))
        since = time.monotonic() if since is None else since
        while not future.done():
            wait([future], timeout=_RETRY)
            silent = time.monotonic() - max(since, self._progress)
            if silent > self._patience(timeout) and not (silent < _LONG_TIMEOUT and self._uploads()):
                raise store_error(self.uri, TimeoutError(f"no response in {silent:.0f} seconds"))
        return future.result()

    def _patience(self, timeout: float) -> float:
        return min(timeout, _SHORT_TIMEOUT) if self._is_away else timeout

    def _uploads(self) -> bool:
        """Return whether a file is on its way to a store that answers."""
        if self._publisher is None or not self._publisher.is_uploading:
            return False
        try:
            check_reachable(self.uri)
        except OSError:
            return False
        return True

    # ---- run by the thread

    def _run(self) -> None:
        with keep_connections():
            self._work()
        if self._pending() or self._unapplied or any(map(_is_open, self._trees.values())):
            self.kept.leave()
        else:
            self.kept.discard()

    def _work(self) -> None:
        while True:
            try:
                task = self._tasks.get(timeout=self._seconds_to_next_write())
            except queue.Empty:
                self._beat()
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
        next_write = min(self._next_write, self._next_beat) if self._dirty else self._next_beat
        return max(0.0, next_write - time.monotonic())

    def _beat(self) -> None:
        """Give all open runs a sign of life once a minute."""
        if time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + BEAT_SECONDS
        for tree in list(self._trees.values()):
            for run in tree.open_runs:
                run.tags[BEAT] = str(now())
        self.kept.touch()

    def _note_progress(self) -> None:
        self._progress = time.monotonic()
        self._is_away = False

    def _set_failure(self, error: Exception) -> None:
        self.failure = self.failure or reason_of(error)

    def _open(self) -> Publisher:
        if self._publisher is None:
            client = open_client(self.uri, create=True, waiting=self._note_progress)
            publisher = Publisher(
                client, experiment_id(client, self._experiment, self._note_progress), self._note_progress
            )
            if database_path(self.uri) is None:  # `open_client` has looked through an embedded store
                close_stale_runs(client, [publisher.experiment_id])
            with suppress(OSError, RuntimeError):  # then silence at the start of a later fit is an error
                remember(self.uri)
            self._publisher = publisher
        return self._publisher

    def _publish_now(self, tree: RunTree) -> None:
        try:
            check_reachable(self.uri)
            publisher = self._open()
            if publisher.write_directly(tree):
                return
            with quiet(), without_retries():
                publisher.look_up(tree)
                publisher.write_contents(tree.root)
        except TrackingError:
            raise
        except Exception as error:
            raise store_error(self.uri, error) from error

    def _apply(self, event: Event, count: int) -> None:
        try:
            if isinstance(event, FitBegan):
                with self._order:
                    add_tree(self._trees, event, self.kept.folder)
            elif event.tree in self._trees:
                self._trees[event.tree].apply(event)
        except Exception as error:  # not an error of the store, so a retry would not help
            self._left_out[type(event).__name__] = f"{type(error).__name__}: {error}"
            if isinstance(event, FitEnded | Released):
                _end(self._trees[event.tree])
        finally:
            self._note_applied(count)

    def _note_applied(self, count: int) -> None:
        with self._order:
            self._unapplied -= 1
            self._applied = count

    def _pending(self) -> int:
        return sum(run.pending for tree in list(self._trees.values()) for run in list(tree.runs))

    def _write_now(self) -> int:
        self._write_pending()
        return self._pending()

    def _write_pending(self) -> None:
        """Write pending entries, and note in the journal that the store has all of them."""
        self._next_write = time.monotonic() + _INTERVAL
        self._dirty = False
        applied = self._applied
        try:
            self._publish_trees([tree for tree in list(self._trees.values()) if any(run.pending for run in tree.runs)])
        except Exception as error:
            self._dirty = True
            self._set_failure(error)
        else:
            self.kept.mark(applied)

    def _publish_trees(self, trees: list[RunTree]) -> None:
        if not trees:
            return
        check_reachable(self.uri)
        if self._publisher is not None:
            trees = [tree for tree in trees if not self._publisher.write_directly(tree)]
        if not trees:
            return
        failures = []
        with quiet(), without_retries():
            publisher = self._open()
            for tree in sorted(trees, key=lambda tree: -len(tree.above)):  # groups wait for their members
                try:
                    publisher.publish_tree(tree, is_away)
                except Exception as error:
                    failures.append(error)
                    if is_away(error):
                        break
        if failures:
            raise failures[0]


def _is_open(tree: RunTree) -> bool:
    return tree.root.outcome is None or any(run.pending for run in tree.runs)


def _end(tree: RunTree) -> None:
    """End the open runs of a tree whose own end could not be applied: nothing else would end them."""
    for member in tree.members:
        _end(member)
    for run in tree.runs:
        if run.outcome is None:
            run.finish(UNRECORDED, now())


def _resolve(future: Future[T], task: Callable[[], T]) -> None:
    try:
        future.set_result(task())
    except BaseException as error:
        future.set_exception(error)
