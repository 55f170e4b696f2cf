"""`SearchProgress`, the callback that shows how far a search or a fit is."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from sklearn.model_selection._search import BaseSearchCV

from seqpipe.callbacks import SEARCH, FitTask, n_candidates, ranking_metric, searched_candidates
from seqpipe.progress._display import Frame, displayed
from seqpipe.progress._events import FitCounter, FitEvent
from seqpipe.progress._ranking import Ranking
from seqpipe.progress._tally import Tally
from seqpipe.progress._words import Names, best_of, epochs_of, last_line, line, summary
from seqpipe.tracking import candidate_name

__all__ = ["SearchProgress"]


class SearchProgress(FitCounter):
    """Show how far a search or a fit is, with any ``n_jobs``.

    Shown are the fits done and left, the epochs of the running ones, the time left, and the candidate with the best mean
    score of those of which all folds are scored. As long as there is none, or where scores are not `reported`, it is the
    lowest loss, the validation loss if the fits have one. The time left is estimated from the fits done and the epochs of
    the running ones, and is unknown until an epoch is done.

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
        if (
            task.name == SEARCH and not task.is_inner and "_view" in vars(self)
        ):  # it begins in the process that shows it
            self._view.plan(estimator)
        super().began(estimator, task, X, y)

    def closed(self, estimator: Any, task: FitTask) -> None:
        """Show the last line of an outermost fit."""
        self._view.close(task.tree)


def _names(search: Any) -> Names:
    """Return the names of the candidates of a search, as of their runs, unless they are known only at its end."""
    return Names([candidate_name(params) for params in searched_candidates(search) or []], search.n_splits_)


class _View:
    """The progress of one outermost fit at a time, in the process that shows it."""

    def __init__(self, console: Console, every: float) -> None:
        self._console = console
        self._every = every
        self._lock = threading.Lock()
        self._shown: Any = None
        self._stack = ExitStack()
        self._tally = Tally(is_search=False)
        self._names = Names()
        self._began = 0.0

    def open(self, tree: Any, tally: Tally) -> None:
        """Begin to show a fit, unless another one is shown."""
        with self._lock:
            if self._shown is not None:
                return
            self._shown, self._tally, self._names, self._began = tree, tally, Names(), time.monotonic()
            if not tally.is_search:
                tally.begin(self._began)
        self._stack.enter_context(displayed(self._console, self._frame, self._last, self._every))

    def close(self, tree: Any) -> None:
        """End to show a fit."""
        if tree == self._shown:
            self._stack.close()
            self._shown = None

    def plan(self, search: Any) -> None:
        """Note the names and number of the candidates of a search, and what ranks them."""
        names, number = _names(search), n_candidates(search)
        with self._lock:
            self._names = names
            self._tally.ranking = Ranking(names.n_splits, ranking_metric(search))
            if number is not None and self._tally.is_search:
                self._tally.plan(number * names.n_splits)

    def receive(self, event: FitEvent) -> None:
        """Note an event, of any thread."""
        with self._lock:
            self._tally.apply(event, time.monotonic())

    def _frame(self) -> Frame:
        with self._lock:
            now = time.monotonic()
            spent, left = now - self._began, self._tally.seconds_left(now)
            return Frame(
                None if left is None else spent / max(spent + left, 1e-9),
                summary(self._tally, spent, left),
                best_of(self._tally, self._names),
                epochs_of(self._tally, self._names),
                line(self._tally, self._names, spent, left),
            )

    def _last(self) -> str:
        with self._lock:
            return last_line(self._tally, self._names, time.monotonic() - self._began)
