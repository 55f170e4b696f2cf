"""The runs of one outermost fit, built from its events."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from uuid import UUID

from seqpipe.callbacks import FOLD, TaskPath
from seqpipe.tracking._candidate import Candidate, Search
from seqpipe.tracking._colours import BASELINE_COLOUR, COLOUR, colour_of
from seqpipe.tracking._description import DESCRIPTION, Description
from seqpipe.tracking._events import (
    BaselineAdded,
    DataSeen,
    EntriesAdded,
    Event,
    FileAdded,
    FitBegan,
    FitEnded,
    FoldScored,
    HeldOutScored,
    ModelAdded,
    Released,
    Reported,
    RunBegan,
    RunEnded,
    RungBegan,
    SearchBegan,
    SearchEnded,
)
from seqpipe.tracking._held_out import HELD_OUT
from seqpipe.tracking._names import candidate_name
from seqpipe.tracking._outcome import FINISHED, LOST, UNFINISHED, Outcome
from seqpipe.tracking._params import as_text
from seqpipe.tracking._run import N_FITS, Run, SavedModel, Scores
from seqpipe.tracking._run_path import run_path
from seqpipe.tracking._rung import Rung
from seqpipe.tracking._search import SearchResults

__all__ = ["RunTree", "add_tree"]


class RunTree:
    """The parent run of a fit, with its candidates, folds and refit.

    The same events give the same tree, whichever process they are applied in.

    Parameters
    ----------
    began : FitBegan
        The first event.
    folder : Path
        Where files and models lie that events name.
    group : RunTree, optional
        The tree whose root is the parent of this one's.

    Attributes
    ----------
    id : UUID
        Identifies the fit in its events.
    runs : list of Run
        All runs, parents before their children.
    root : Run
        The run of the outermost fit.
    refit : Run or None
        The run of the refit, once it has begun.
    continues : bool
        Whether the store may have runs of an earlier fit that are continued.
    ended : bool
        Whether the outermost fit has ended.
    members : list of RunTree
        The trees of a group.
    """

    def __init__(self, began: FitBegan, folder: Path = Path(), group: RunTree | None = None) -> None:
        self.id = began.tree
        self.group = group
        self.members: list[RunTree] = []
        self._key = began.key or began.tree.hex
        self.continues = began.key is not None
        name, kind = began.name, began.kind or ("search" if began.is_search else "fit")
        if group is not None:
            self._key, again = group._join(self, is_study=began.kind == "search")
            self.continues = group.continues or again
            name = name if began.kind else f"{name} ({len(group.members)})"
        self._folder = folder
        self._logs_model = began.logs_model
        self._has_model = False
        self._held_out: Scores | None = None
        self._last = began.time
        self.root: Run = Run(name, kind, began.time, self._key, None if group is None else group.root)
        self.root.grows = began.kind is not None
        self.root.tags |= began.tags
        self.root.add_params(began.params)
        self.runs = [self.root]
        self.refit: Run | None = None
        self.ended = False
        self._fit_outcome = FINISHED
        self._at: dict[TaskPath, Run] = {(): self.root}
        self._searches: dict[TaskPath, Search] = {}
        self._rungs: dict[TaskPath, Rung] = {}
        self._candidates: dict[TaskPath, Candidate] = {}
        self._current: dict[tuple[int, int], TaskPath] = {}
        self._device: dict[str, str] = {}
        self._description = Description(is_given=DESCRIPTION in began.tags)
        self._results: SearchResults | None = None
        if (cell := began.tags.get("seqpipe.cell")) is not None:
            self.root.tags[COLOUR] = colour_of(cell)

    def apply(self, event: Event) -> None:
        """Apply an event; those of tasks that arrive after the end, from a stopped worker, are ignored."""
        self._last = max(self._last, event.time)
        match event:
            case EntriesAdded():
                self._add(event)
            case BaselineAdded():
                self._add_baseline(event)
            case FileAdded():
                self.root.files[event.name] = self._folder / Path(event.file).name
            case ModelAdded():
                self._add_model(event)
            case HeldOutScored():
                self._add_held_out(event)
            case Released():
                self._release(event.outcome, event.time)
            case _ if not self.ended:
                self._apply_task(event)

    def _apply_task(self, event: Event) -> None:
        match event:
            case DataSeen():
                self.root.data = self._description.data = event.data
                self._description.write(self.root)
            case SearchBegan():
                self._begin_search(event)
            case RungBegan():
                self._begin_rung(event)
            case RunBegan():
                self._begin(event)
            case Reported():
                self._report(event)
            case RunEnded() if event.path in self._rungs:
                self._end_rung(self._rungs[event.path], event)
            case RunEnded():
                self._end(run_path(event.path), event.outcome, event.time)
            case FoldScored() if event.path in self._candidates:
                self._candidates[event.path].score_fold(event.path[-1][1], event)
            case SearchEnded():
                self._score(event)
            case FitEnded():
                self._end_fit(event)

    def _join(self, member: RunTree, *, is_study: bool) -> tuple[str, bool]:
        """Add a member, and return the key of its runs, and whether an earlier member has it.

        A study is continued; of other members that are alike the later ones are numbered.
        """
        taken = {each._key for each in self.members}
        keys = (f"{self._key}/{member._key}{f'-{n}' if n > 1 else ''}" for n in count(1))
        self.members.append(member)
        key = next(key for key in keys if is_study or key not in taken)
        return key, key in taken

    @property
    def above(self) -> list[RunTree]:
        """The groups that this tree is in, the innermost first."""
        return [] if self.group is None else [self.group, *self.group.above]

    @property
    def waits(self) -> bool:
        """Whether the root has to stay open in the store for members."""
        return any(run.pending or run.outcome is None for member in self.members for run in member.runs)

    @property
    def model_run(self) -> Run:
        """The run that models belong to: the refit, else the root."""
        return self.refit or self.root

    @property
    def open_runs(self) -> list[Run]:
        """The runs that are open in the store."""
        if self.root.outcome is not None:
            return []
        return [run for run in self.runs if run.outcome is None or run is self.refit]

    def close(self) -> None:
        """End what the process left open that recorded the fit and has ended itself."""
        for member in self.members:
            member.close()
            self._last = max(self._last, member._last)
        if not self.ended:
            self._end_all(LOST, self._last)
        if self.root.outcome is None:
            self._release(LOST, self._last)

    def settle(self) -> None:
        """Empty the outboxes of all runs, whose entries the store has."""
        for run in self.runs:
            run.settle()

    def _release(self, outcome: Outcome, time: int) -> None:
        """End the root run of a fit that was held open; a failed fit stays failed, regardless of ``outcome``."""
        if not self.ended or self.root.outcome is not None:
            return
        outcome = outcome if self._fit_outcome == FINISHED else self._fit_outcome
        self._end_refit(outcome)
        self.root.finish(outcome, time)

    def _end_refit(self, outcome: Outcome) -> None:
        """End the refit in the store, together with the root: it is finished only once its model is there."""
        if self.refit is None or self.refit.end is None:
            return
        expected = self._logs_model or outcome == LOST
        if outcome != FINISHED and self.refit.outcome == FINISHED and expected and not self._has_model:
            self.refit.outcome = outcome
        self.refit.finish(self.refit.outcome or outcome, self.refit.end)

    def _add(self, event: EntriesAdded) -> None:
        runs = {"root": {self.root}, "refit": {self.model_run}, "both": {self.root, self.model_run}}
        for run in runs[event.to]:
            run.add_points(event.metrics, event.time)
            run.tags |= event.tags
        self.root.add_params(event.params)
        if event.name is not None:
            self.root.rename(event.name)
        if self._description.add_scores(event.metrics):
            self._description.write(self.root)

    def _add_baseline(self, event: BaselineAdded) -> None:
        baseline = Run(
            f"baseline: {event.name}", "baseline", event.time, f"{self._key}/baseline-{event.name}", self.root
        )
        baseline.tags[COLOUR] = BASELINE_COLOUR
        baseline.add_points({f"{HELD_OUT}{name}": value for name, value in event.metrics.items()}, event.time)
        baseline.finish(FINISHED, event.time)
        self.runs.append(baseline)
        self._description.baselines[event.name] = event.metrics
        self._description.write(self.root)

    def _add_model(self, event: ModelAdded) -> None:
        self._has_model = True
        run, fit = self.model_run, None
        data = self._description.data
        if event.is_fitted and data is not None:
            fit = Scores(data, tuple(sorted(run.last_steps)), {})
        folder = self._folder / Path(event.folder).name
        run.models.append(SavedModel(folder, event.name, event.params, event.tags, fit))
        run.scores = self._held_out

    def _add_held_out(self, event: HeldOutScored) -> None:
        for run in {self.root, self.model_run}:
            run.add_points(event.metrics, event.time)
            run.tags |= event.tags
        if self._description.add_scores(event.metrics):
            self._description.write(self.root)
        self.root.held_out = event.data
        self._held_out = Scores(event.data, tuple(event.metrics), event.tags)
        if self._has_model:
            self.model_run.scores = self._held_out

    def _key_of(self, path: TaskPath) -> str:
        return "/".join([self._key, *(f"{role}-{number}" for role, number in path)])

    def _begin_search(self, event: SearchBegan) -> None:
        self._searches[event.path] = search = Search(
            event.n_splits, event.searched, event.grid, self._key_of(event.path), self.root
        )
        self.root.view = search.view(event.time, event.metric)
        if event.n_fits is not None:
            self.root.tags[N_FITS] = str(event.n_fits)
        self.root.add_params({name: as_text(", ".join(values)) for name, values in event.grid.items()})
        self._description.search = event
        self._description.write(self.root)

    def _begin(self, event: RunBegan) -> None:
        if event.path[-1][0] == FOLD and self._group_of(event.path) is None:
            return  # a search whose candidates are unknown
        self._end_previous(event)
        if event.path in self._at:
            self._at[event.path].repeat()
            return
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

    def _begin_rung(self, event: RungBegan) -> None:
        rung = self._rungs[event.path] = Rung(event, self._key_of(event.path), self.root)
        self.runs.append(rung.run)

    def _end_rung(self, rung: Rung, event: RunEnded) -> None:
        for path in [path for path in self._candidates if path[:-1] == event.path]:
            self._end(path, UNFINISHED, event.time)
        self.runs += rung.end(event.time)

    def _group_of(self, fold: TaskPath) -> Search | None:
        """Return the rung or search that a fold belongs to."""
        return self._rungs.get(fold[:-1]) or self._searches.get(fold[:-2])

    def _begin_fold(self, event: RunBegan) -> Run:
        group = self._group_of(event.path)
        assert group is not None
        candidate = group.candidate_of(event.path[-1][1], event.time, event.every)
        if candidate.run not in self.runs:
            self.runs.append(candidate.run)
        candidate.run.tags |= event.tags
        candidate.run.add_params(event.params)
        self._candidates[event.path] = candidate
        return candidate.begin_fold(event.path[-1][1], event.time)

    def _begin_refit(self, event: RunBegan) -> Run:
        self.refit = Run("refit", "refit", event.time, self._key_of(event.path), self.root)
        self._name_refit()
        return self.refit

    def _name_refit(self) -> None:
        """Name the refit by the best candidate, once both are known."""
        results = self._results
        if self.refit is not None and results is not None and results.best is not None:
            self.refit.rename(f"refit: {candidate_name(results.params[results.best])}")
            self.refit.add_params(results.params[results.best])

    def _report(self, event: Reported) -> None:
        path = run_path(event.path)
        run = self._at.get(path)
        if run is None:
            return
        run.add_points(event.metrics, event.time, event.step)
        if event.step and path in self._candidates:
            self._candidates[path].report(path[-1][1], event)
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
        run.finish(outcome, time, held=run is self.refit)
        if path in self._candidates:
            self._candidates[path].end_if_complete()

    def _score(self, event: SearchEnded) -> None:
        self._end_open_folds(event.time)
        if event.results.best_score is not None:
            self.root.add_points({"best_score": event.results.best_score}, event.time)
        results = self._results = event.results
        self._name_refit()
        rungs: list[Search] = [rung for path, rung in self._rungs.items() if path[:-2] == event.path]
        groups = rungs or [group for path, group in self._searches.items() if path == event.path]
        for group in groups:
            self.runs += group.score(event, self.refit)
        if groups:
            self.root.view = groups[-1].view(event.time, results.ranking_metric)
        if groups or not self._at.keys() - {()}:
            self._description.results = results.of_rung(max(results.rungs)) if results.rungs else results
            self._description.write(self.root)

    def _end_open_folds(self, time: int) -> None:
        for path in self._candidates:
            self._end(path, UNFINISHED, time)

    def _end_fit(self, event: FitEnded) -> None:
        """End all open runs, the root last and only if it is not held open."""
        self._end_all(event.outcome, event.time)
        if not event.held:
            self._release(event.outcome, event.time)

    def _end_all(self, outcome: Outcome, time: int) -> None:
        for member in self.members:
            if member.root.outcome is None:
                member._end_all(outcome, time)
                member._release(outcome, time)
        self.ended = True
        self._fit_outcome = outcome
        for run in reversed(self.runs[1:]):
            if run.outcome is None:
                run.finish(UNFINISHED if outcome == FINISHED else outcome, time, held=run is self.refit)


def add_tree(trees: dict[UUID, RunTree], began: FitBegan, folder: Path) -> None:
    """Add the tree of a fit to others by their ids, unless it is a member of a group that has ended."""
    group = None if began.group is None else trees.get(began.group)
    if began.group is None or (group is not None and not group.ended):
        trees[began.tree] = RunTree(began, folder, group)
