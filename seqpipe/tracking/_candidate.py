"""The candidates of a search and their folds."""

from __future__ import annotations

import math

from seqpipe.tracking._events import SearchBegan, SearchEnded
from seqpipe.tracking._outcome import FINISHED, NOT_BEGUN, UNSCORED
from seqpipe.tracking._params import short_name
from seqpipe.tracking._run import Run

__all__ = ["Candidate", "Search"]


class Search:
    """A search: its candidates, each with one fold per split.

    scikit-learn numbers the tasks of a search consecutively: all splits of the first candidate, then all of the
    second.
    """

    def __init__(self, began: SearchBegan, key: str) -> None:
        self._key = key
        self._n_splits = began.n_splits
        self._searched = began.searched
        self._candidates: dict[int, Candidate] = {}

    def candidate_of(self, task: int, time: int, parent: Run) -> Candidate:
        """Return the candidate that a task belongs to, creating it with its first task."""
        number = task // self._n_splits
        if number not in self._candidates:
            searched = self._searched[number] if self._searched else {}
            key = f"{self._key}/candidate-{number + 1}"
            self._candidates[number] = Candidate(number, searched, self._n_splits, time, key, parent)
        return self._candidates[number]

    def missing(self, event: SearchEnded, parent: Run) -> list[Run]:
        """Create the runs that were never started: an estimator may raise before it notifies its callbacks."""
        made = []
        for task in range(len(event.results.params) * self._n_splits):
            is_new = task // self._n_splits not in self._candidates
            candidate = self.candidate_of(task, event.time, parent)
            if not candidate.has(task):
                fold = candidate.begin_fold(task, event.time)
                fold.finish(NOT_BEGUN, event.time)
                candidate.end_if_complete()
                made += [candidate.run, fold] if is_new else [fold]
        return made

    def score(self, event: SearchEnded) -> None:
        """Pass the results of the search to its candidates."""
        for number, candidate in self._candidates.items():
            results = event.results
            candidate.score(results.params[number], results.candidates[number], results.folds[number], event.time)


class Candidate:
    """A candidate's run and its folds; numbers in names and tags count from 1."""

    def __init__(self, number: int, searched: dict[str, str], n_splits: int, time: int, key: str, parent: Run) -> None:
        self.run = Run(short_name(searched) or f"candidate {number + 1}", "candidate", time, key, parent)
        self._tags = {"seqpipe.candidate": str(number + 1)}
        self.run.tags |= self._tags
        self.run.add_params(searched)
        self._searched = searched
        self._n_splits = n_splits
        self._folds: dict[int, Run] = {}

    def has(self, task: int) -> bool:
        """Return whether a task of this candidate has begun."""
        return task % self._n_splits in self._folds

    def begin_fold(self, task: int, time: int) -> Run:
        """Create the run of a task of this candidate and return it."""
        self.run.start = min(self.run.start, time)  # events of workers may arrive out of order
        split = task % self._n_splits
        fold = self._folds[split] = Run(f"fold {split + 1}", "fold", time, f"{self.run.key}/fold-{split + 1}", self.run)
        fold.tags |= {**self._tags, "seqpipe.fold": str(split + 1)}
        fold.add_params(self._searched)
        return fold

    def end_if_complete(self) -> None:
        """End the run once all folds have ended, with the outcome of the first fold that did not finish."""
        outcomes = [fold.outcome for fold in self._folds.values() if fold.outcome is not None]
        if len(outcomes) == self._n_splits:
            last = max(fold.end or 0 for fold in self._folds.values())
            self.run.finish(next((bad for bad in outcomes if bad != FINISHED), FINISHED), last)

    def score(
        self, searched: dict[str, str], metrics: dict[str, float], folds: list[dict[str, float]], time: int
    ) -> None:
        """Record the results of the search: final parameters, scores, and failures that were not reported otherwise."""
        self.run.rename(short_name(searched) or self.run.name)
        self.run.add_params(searched)
        self.run.add_points(metrics, time)
        for split, fold in self._folds.items():
            fold.add_params(searched)
            fold.add_points(folds[split], time)
            if any(math.isnan(score) for score in folds[split].values()):
                self._fail(fold)

    def _fail(self, fold: Run) -> None:
        for run in (fold, self.run):
            if run.outcome == FINISHED and run.end is not None:
                run.finish(UNSCORED, run.end)
