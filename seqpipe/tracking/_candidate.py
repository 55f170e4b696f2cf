"""The candidates of a search and their folds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from seqpipe.tracking._colours import COLOUR, colour_of
from seqpipe.tracking._curves import MeanCurves
from seqpipe.tracking._events import FoldScored, Reported, SearchEnded
from seqpipe.tracking._fold_scores import FoldScores
from seqpipe.tracking._names import candidate_name
from seqpipe.tracking._outcome import FINISHED, NOT_BEGUN, UNSCORED
from seqpipe.tracking._params import cells_in, is_cell
from seqpipe.tracking._run import Run
from seqpipe.tracking._view import SearchView, view_of

__all__ = ["Candidate", "Search"]

_UNKNOWN: Mapping[str, str] = MappingProxyType({})


class Search:
    """A search: its candidates, each with one fold per split.

    scikit-learn numbers the tasks of a search consecutively: all splits of the first candidate, then all of the
    second.
    """

    def __init__(
        self,
        n_splits: int,
        searched: list[dict[str, str]] | None,
        grid: Mapping[str, list[str]],
        key: str,
        parent: Run,
    ) -> None:
        self._n_splits = n_splits
        self._searched = searched
        self._key = key
        self._grid = dict(grid)
        #: Whether cells are compared: then their colours tell candidates apart, else MLflow gives each run its own.
        self._is_coloured = any(len(cells) > 1 for name, cells in grid.items() if is_cell(name))
        self._parent = parent
        self._candidates: dict[int, Candidate] = {}

    def view(self, time: int, metric: str) -> SearchView:
        """Return how the interface shows the search, whose candidates a metric ranks; what is known at ``time``."""
        return view_of(self._grid, f"mean_test_{metric}", time)

    def candidate_of(self, task: int, time: int, params: Mapping[str, str] = _UNKNOWN) -> Candidate:
        """Return the candidate that a task with ``params`` belongs to, creating it with its first task."""
        number = task // self._n_splits
        if number not in self._candidates:
            key = f"{self._key}/candidate-{number + 1}"
            run = Run(f"candidate {number + 1}", "candidate", time, key, self._parent)
            self._candidates[number] = Candidate(
                number, run, self._n_splits, tags=self._tags(), is_coloured=self._is_coloured
            )
            if searched := self._searched_by(number, params):
                self._candidates[number].describe(searched)
        return self._candidates[number]

    def missing(self, n_candidates: int, time: int) -> list[Run]:
        """Create the runs that were never started: an estimator may raise before it notifies its callbacks."""
        made = []
        for task in range(n_candidates * self._n_splits):
            is_new = task // self._n_splits not in self._candidates
            candidate = self.candidate_of(task, time)
            if not candidate.has(task):
                fold = candidate.begin_fold(task, time)
                fold.finish(NOT_BEGUN, time)
                candidate.end_if_complete()
                made += [candidate.run, fold] if is_new else [fold]
        return made

    def score(self, event: SearchEnded, refit: Run | None) -> list[Run]:
        """Pass the results of the search to its candidates, and tell the refit which one it fits.

        Returns
        -------
        made : list of Run
            The runs of candidates and folds that were never started.
        """
        results = event.results
        made = self.missing(len(results.params), event.time)
        for number, candidate in self._candidates.items():
            candidate.describe(results.params[number])
            candidate.score(results.candidates[number], results.folds[number], event.time)
        if refit is not None and results.best is not None:
            best = self._candidates[results.best]
            refit.rename(f"refit: {best.run.name}")
            refit.tags |= best.colour
        return made

    def _searched_by(self, number: int, params: Mapping[str, str]) -> dict[str, str]:
        return self._searched[number] if self._searched else {}

    def _tags(self) -> dict[str, str]:
        return {}


class Candidate:
    """A candidate's run and its folds; numbers in names and tags count from 1."""

    def __init__(self, number: int, run: Run, n_splits: int, *, tags: Mapping[str, str], is_coloured: bool) -> None:
        self.run = run
        self.colour: dict[str, str] = {}
        self._is_coloured = is_coloured
        self._tags = {"seqpipe.candidate": str(number + 1), **tags}
        self._searched: dict[str, str] = {}
        self._n_splits = n_splits
        self._folds: dict[int, Run] = {}
        self._curves = MeanCurves(n_splits)
        self._scores = FoldScores(n_splits)
        run.tags |= self._tags

    def has(self, task: int) -> bool:
        """Return whether a task of this candidate has begun."""
        return task % self._n_splits in self._folds

    def describe(self, searched: dict[str, str]) -> None:
        """Give the runs names, parameters and colour of what was searched, of which a search may know only at its end."""
        if searched == self._searched:
            return
        self._searched = searched
        if self._is_coloured and (cells := cells_in(searched)):
            self.colour = {COLOUR: colour_of(cells[0])}
        self.run.rename(candidate_name(searched) or self.run.name)
        for run in (self.run, *self._folds.values()):
            run.add_params(searched)
            run.tags |= self.colour
        for split, fold in self._folds.items():
            fold.rename(self._fold_name(split))

    def begin_fold(self, task: int, time: int) -> Run:
        """Create the run of a task of this candidate and return it."""
        self.run.start = min(self.run.start, time)  # events of workers may arrive out of order
        split = task % self._n_splits
        fold = Run(self._fold_name(split), "fold", time, f"{self.run.key}/fold-{split + 1}", self.run)
        self._folds[split] = fold
        fold.tags |= {**self._tags, **self.colour, "seqpipe.fold": str(split + 1)}
        fold.add_params(self._searched)
        return fold

    def _fold_name(self, split: int) -> str:
        return f"{self.run.name} · fold {split + 1}"

    def report(self, task: int, event: Reported) -> None:
        """Add an epoch of a fold to the mean curves."""
        point = self._curves.add(task % self._n_splits, event.step, event.metrics)
        self.run.add_points(point, event.time, event.step)

    def score_fold(self, task: int, event: FoldScored) -> None:
        """Add scores of a fold, and their means once all folds have them."""
        split = task % self._n_splits
        self._folds[split].add_points(self._scores.add(split, event.scores), event.time)
        self.run.add_points(self._scores.summary(), event.time)

    def end_if_complete(self) -> None:
        """End the run once all folds have ended, with the outcome of the first fold that did not finish."""
        outcomes = [fold.outcome for fold in self._folds.values() if fold.outcome is not None]
        if len(outcomes) == self._n_splits:
            last = max(fold.end or 0 for fold in self._folds.values())
            self.run.finish(next((bad for bad in outcomes if bad != FINISHED), FINISHED), last)

    def score(self, metrics: dict[str, float], folds: list[dict[str, float]], time: int) -> None:
        """Record the results of the search: scores that are not there yet, and failures that were not reported otherwise."""
        self.run.add_points(self._scores.rest(metrics), time)
        for split, fold in self._folds.items():
            fold.add_points(self._scores.add(split, folds[split]), time)
            if any(math.isnan(score) for score in folds[split].values()):
                self._fail(fold)

    def _fail(self, fold: Run) -> None:
        for run in (fold, self.run):
            if run.outcome == FINISHED and run.end is not None:
                run.finish(UNSCORED, run.end)
