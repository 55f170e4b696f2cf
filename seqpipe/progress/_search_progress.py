"""`SearchProgress`, the callback that shows how far a search or a fit is."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from sklearn.model_selection._search import BaseSearchCV

from seqpipe.callbacks import SEARCH, FitTask, n_candidates, searched_candidates
from seqpipe.progress._display import Frame, displayed
from seqpipe.progress._events import REFIT, FitCounter, FitEvent
from seqpipe.progress._tally import Tally
from seqpipe.progress._words import best_of, epochs_of, last_line, line, summary
from seqpipe.tracking import candidate_name

__all__ = ["SearchProgress"]


class SearchProgress(FitCounter):
    """Show how far a search or a fit is, with any ``n_jobs``.

    Shown are the fits done and left, the epochs of the running ones, the time left, and the lowest loss so far: the
    validation loss if the fits have one. Scores on the folds are known to scikit-learn only at the end of a search. The time
    left is estimated from the fits done and the epochs of the running ones, and is unknown until an epoch is done.

    In a terminal this is a display that moves, in a notebook one output that changes. In a pipe or a file it is a line each
    minute. The last line stays.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to show it; stderr by default. ``Console(file=open("search.log", "a"))`` writes to a file.
    every : float, default=60.0
        Seconds between two lines where there is neither a terminal nor a notebook.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from seqpipe import SearchProgress, SequenceClassifier
    >>> search = GridSearchCV(SequenceClassifier(), {"cell": ["gru", "lstm"]}, n_jobs=4)
    >>> search = search.set_callbacks(SearchProgress())  # doctest: +SKIP
    """

    def __init__(self, console: Console | None = None, *, every: float = 60.0) -> None:
        self._view = _View(console or Console(stderr=True), every)
        super().__init__(self._view.receive)

    def opened(self, estimator: Any, task: FitTask) -> None:
        """Begin to show an outermost fit."""
        is_search = isinstance(estimator, BaseSearchCV)
        self._view.open(task.tree, Tally(is_search, refits=is_search and bool(estimator.refit)))

    def began(self, estimator: Any, task: FitTask, X: Any, y: Any) -> None:
        """Report the beginning of a fit."""
        if task.name == SEARCH and "_view" in vars(self):  # searches begin in the process that shows them
            self._view.plan(_names(estimator), n_candidates(estimator), estimator.n_splits_)
        super().began(estimator, task, X, y)

    def closed(self, estimator: Any, task: FitTask) -> None:
        """Show the last line of an outermost fit."""
        self._view.close(task.tree)


def _names(search: Any) -> list[str]:
    """Return the names of the candidates of a search, as of their runs; none if they are known only at its end."""
    return [candidate_name(params) for params in searched_candidates(search) or []]


class _View:
    """The progress of one outermost fit at a time, in the process that shows it."""

    def __init__(self, console: Console, every: float) -> None:
        self._console = console
        self._every = every
        self._lock = threading.Lock()
        self._shown: Any = None
        self._stack = ExitStack()
        self._tally = Tally(is_search=False)
        self._names: list[str] = []
        self._n_splits = 1
        self._began = 0.0

    def open(self, tree: Any, tally: Tally) -> None:
        """Begin to show a fit, unless another one is shown."""
        with self._lock:
            if self._shown is not None:
                return
            self._shown, self._tally, self._names, self._began = tree, tally, [], time.monotonic()
            if not tally.is_search:
                tally.begin(self._began)
        self._stack.enter_context(displayed(self._console, self._frame, self._last, self._every))

    def close(self, tree: Any) -> None:
        """End to show a fit."""
        if tree == self._shown:
            self._stack.close()
            self._shown = None

    def plan(self, names: list[str], number: int | None, n_splits: int) -> None:
        """Note the names and number of the candidates of the search."""
        with self._lock:
            self._names, self._n_splits = names, n_splits
            if number is not None and self._tally.is_search:
                self._tally.plan(number * n_splits)

    def receive(self, event: FitEvent) -> None:
        """Note an event, of any thread."""
        with self._lock:
            self._tally.apply(event, time.monotonic())

    def _name_of(self, fit: int) -> str:
        if fit == REFIT:
            return "refit"
        candidate, fold = divmod(fit, self._n_splits)
        name = self._names[candidate] if candidate < len(self._names) else f"candidate {candidate + 1}"
        return f"{name} · fold {fold + 1}"

    def _frame(self) -> Frame:
        with self._lock:
            now = time.monotonic()
            spent, left = now - self._began, self._tally.seconds_left(now)
            return Frame(
                None if left is None else spent / max(spent + left, 1e-9),
                summary(self._tally, spent, left),
                best_of(self._tally, self._name_of),
                epochs_of(self._tally, self._name_of),
                line(self._tally, self._name_of, spent, left),
            )

    def _last(self) -> str:
        with self._lock:
            return last_line(self._tally, self._name_of, time.monotonic() - self._began)
