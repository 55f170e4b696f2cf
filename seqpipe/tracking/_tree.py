"""The runs of one outermost fit, built from its events."""

from __future__ import annotations

from seqpipe.callbacks import FOLD, REFIT, TaskPath
from seqpipe.tracking._candidate import Candidate, Search
from seqpipe.tracking._events import (
    DataSeen,
    Event,
    FitBegan,
    FitEnded,
    Reported,
    RunBegan,
    RunEnded,
    SearchBegan,
    SearchEnded,
)
from seqpipe.tracking._outcome import FINISHED, UNFINISHED, Outcome
from seqpipe.tracking._run import Run

__all__ = ["RunTree", "run_path"]


def run_path(path: TaskPath) -> TaskPath:
    """Return the path of the run that the task at ``path`` belongs to; () for the outermost fit."""
    for depth, (role, _) in enumerate(path, start=1):
        if role in (FOLD, REFIT):
            return path[:depth]
    return ()


class RunTree:
    """The parent run of a fit, with its candidates, folds and refit.

    Attributes
    ----------
    runs : list of Run
        All runs, parents before their children.
    root : Run
        The run of the outermost fit.
    refit : Run or None
        The run of the refit, once it has begun.
    ended : bool
        Whether the outermost fit has ended.
    """

    def __init__(self, began: FitBegan) -> None:
        self.root = Run(began.name, "search" if began.is_search else "fit", began.time)
        self.root.tags |= began.tags
        self.root.add_params(began.params)
        self.runs = [self.root]
        self.refit: Run | None = None
        self.ended = False
        self._fit_outcome = FINISHED
        self._at: dict[TaskPath, Run] = {(): self.root}
        self._searches: dict[TaskPath, Search] = {}
        self._candidates: dict[TaskPath, Candidate] = {}
        self._current: dict[tuple[int, int], TaskPath] = {}
        self._device: dict[str, str] = {}

    def apply(self, event: Event) -> None:
        """Apply an event; events that arrive after the end, from a stopped worker, are ignored."""
        if self.ended:
            return
        match event:
            case DataSeen():
                self.root.data = event.data
            case SearchBegan():
                self._searches[event.path] = Search(event)
            case RunBegan():
                self._begin(event)
            case Reported():
                self._report(event)
            case RunEnded():
                self._end(run_path(event.path), event.outcome, event.time)
            case SearchEnded():
                self._score(event)
            case FitEnded():
                self._end_fit(event)

    def release(self, outcome: Outcome, time: int) -> None:
        """End the root run of a fit that was held open; a failed fit stays failed, regardless of ``outcome``."""
        self.root.finish(outcome if self._fit_outcome == FINISHED else self._fit_outcome, time)

    def _begin(self, event: RunBegan) -> None:
        if event.path[-1][0] == FOLD and event.path[:-2] not in self._searches:
            return  # a search whose candidates are unknown
        self._end_previous(event)
        run = self._begin_fold(event) if event.path[-1][0] == FOLD else self._begin_refit(event)
        run.tags |= event.tags
        run.add_params(event.params)
        self._at[event.path] = run
        self.runs.append(run)

    def _end_previous(self, event: RunBegan) -> None:
        """End the previous run of the worker: a fit that failed in a transformer does not notify callbacks."""
        previous = self._current.get(event.worker)
        if previous is not None and self._at[previous].outcome is None:
            self._end(previous, UNFINISHED, event.time)
        self._current[event.worker] = event.path

    def _begin_fold(self, event: RunBegan) -> Run:
        candidate = self._searches[event.path[:-2]].candidate_of(event.path[-1][1], event.time, self.root)
        if candidate.run not in self.runs:
            self.runs.append(candidate.run)
        candidate.run.tags |= event.tags
        candidate.run.add_params(event.params)
        self._candidates[event.path] = candidate
        return candidate.begin_fold(event.path[-1][1], event.time)

    def _begin_refit(self, event: RunBegan) -> Run:
        self.refit = Run("refit", "refit", event.time, self.root)
        return self.refit

    def _report(self, event: Reported) -> None:
        run = self._at.get(run_path(event.path))
        if run is None:
            return
        run.add_points(event.metrics, event.time, event.step)
        run.tags |= event.tags
        device = {name: value for name, value in event.tags.items() if name.startswith("seqpipe.device")}
        if device != self._device:
            self._device = device
            self.root.tags |= device

    def _end(self, path: TaskPath, outcome: Outcome, time: int) -> None:
        """End a fold or the refit; the outermost fit is ended by `FitEnded`, which is always sent."""
        run = self._at.get(path)
        if run is None or run is self.root or run.outcome is not None:
            return
        run.finish(outcome, time)
        if path in self._candidates:
            self._candidates[path].end_if_complete()

    def _score(self, event: SearchEnded) -> None:
        self._end_open_folds(event.time)
        if event.results.best_score is not None:
            self.root.add_points({"best_score": event.results.best_score}, event.time)
        if event.path in self._searches:
            self.runs += self._searches[event.path].missing(event, self.root)
            self._searches[event.path].score(event)

    def _end_open_folds(self, time: int) -> None:
        for path in self._candidates:
            self._end(path, UNFINISHED, time)

    def _end_fit(self, event: FitEnded) -> None:
        """End all open runs, the root last and only if it is not held open."""
        self.ended = True
        self._fit_outcome = event.outcome
        for run in reversed(self.runs[1:]):
            if run.outcome is None:
                run.finish(UNFINISHED if event.outcome == FINISHED else event.outcome, event.time)
        if not event.held:
            self.root.finish(event.outcome, event.time)
