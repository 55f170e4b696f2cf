"""Studies of Optuna whose trials are runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID, uuid4

from seqpipe.callbacks import REFIT
from seqpipe.tracking._adapter import IN_CONTEXT, Place
from seqpipe.tracking._environment import environment_tags
from seqpipe.tracking._events import DataSeen, EntriesAdded, Event, FitBegan, FitEnded, Reported, SearchEnded
from seqpipe.tracking._names import candidate_name
from seqpipe.tracking._outcome import FINISHED, Outcome, now, outcome_of
from seqpipe.tracking._params import as_text, numbers_in
from seqpipe.tracking._process import is_alive, process_tags
from seqpipe.tracking._studied_search import StudiedSearch, results_of_study
from seqpipe.tracking._task_events import FOLDS, group_began

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from seqpipe.tracking._groups import GroupedFits

__all__ = ["TrackedStudy"]

#: Names of user attributes: the key of a study's runs, the process of a trial, and the trial that it repeats.
_KEY, _PROCESS, _REPEATS = "seqpipe.runs", "seqpipe.process", "seqpipe.repeats"


class TrackedStudy:
    """A study of Optuna whose trials are recorded; everything but `optimize` is that of the study.

    Parameters
    ----------
    study : optuna.Study
    tracker : MLflowTracker
    """

    def __init__(self, study: Study, tracker: GroupedFits) -> None:
        self._study = study
        self._tracker = tracker

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_study", "_tracker"):  # not set yet, as while it is copied
            raise AttributeError(name)
        return getattr(self._study, name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same one: a copied search goes on with its study."""
        return self

    def optimize(
        self,
        func: Callable[[Trial], Any],
        n_trials: int | None = None,
        timeout: float | None = None,
        n_jobs: int = 1,
        catch: Iterable[type[Exception]] | type[Exception] = (),
        callbacks: Iterable[Callable[[Study, FrozenTrial], None]] | None = None,
        **options: Any,
    ) -> None:
        """Optimize an objective as `optuna.Study.optimize` does, and record each trial as a run.

        Trials of a process that has ended meanwhile, such as by SIGKILL, are repeated with the same parameters.
        """
        self._repeat_interrupted()
        began, tracker = self._began(), self._tracker
        search = StudiedSearch.of(func, tracker.tags.get("dataset", "training data"))
        run = partial(self._run, func, began.tree, alone=n_jobs == 1, counts=search is not None)
        after: list[Callable[[Study, FrozenTrial], None]] = [*(callbacks or ()), partial(self._note_best, began.tree)]
        with tracker._grouped(began):
            if search is not None:
                tracker._send([*_known_of(search, began.tree)])
            self._study.optimize(run, n_trials, timeout, n_jobs, catch, after, **options)
        tracker._awaited = None if search is None else partial(self._place_of_refit, search)

    def _place_of_refit(self, search: StudiedSearch, estimator: Any, *, logs_model: bool) -> Place | None:
        """Return where an estimator is recorded that a search fits again at its end; None if it is another one."""
        try:
            best = self._study.best_trial
        except ValueError:  # no trial is complete
            return None
        if not search.is_refit(estimator, best.params):
            return None
        began, tracker = replace(self._began(), logs_model=logs_model), self._tracker
        tracker._tree = tracker._open_writer().begin(began)
        ended = SearchEnded(tree=began.tree, time=now(), path=(), results=results_of_study(self._study))
        tracker._send([*_known_of(search, began.tree), ended])
        return Place(began.tree, ((REFIT, best.number),), best.params)

    def _repeat_interrupted(self) -> None:
        from optuna.trial import TrialState

        for trial in self._study.get_trials(states=[TrialState.RUNNING]):
            process = trial.user_attrs.get(_PROCESS)
            if process is not None and not is_alive(process):
                self._study.tell(trial.number, state=TrialState.FAIL)
                self._repeat(trial)

    def _repeat(self, trial: Trial | FrozenTrial) -> None:
        self._study.enqueue_trial(trial.params, user_attrs={_REPEATS: trial.number})

    def _began(self) -> FitBegan:
        """Return the event that starts the run of the study, or continues it."""
        study, tracker = self._study, self._tracker
        if _KEY not in study.user_attrs:
            study.set_user_attr(_KEY, uuid4().hex)
        directions = ", ".join(direction.name.lower() for direction in study.directions)
        named = {"sampler": study.sampler, "pruner": study.pruner}
        params = {"direction": directions, **{name: type(value).__name__ for name, value in named.items()}}
        tags = {**environment_tags(), **tracker.tags, "seqpipe.estimator": "optuna.Study"}
        name, key = tracker.run_name or study.study_name, study.user_attrs[_KEY]
        return replace(group_began(name, tags, kind="search", key=key, group=tracker._group), params=params)

    def _run(self, func: Callable[[Trial], Any], study: UUID, trial: Trial, *, alone: bool, counts: bool) -> Any:
        """Run the objective, and record the trial; its fits are folds if it ``counts`` them."""
        from optuna import TrialPruned

        trial.set_user_attr(_PROCESS, process_tags())
        name, tags = f"trial {trial.number}", {"seqpipe.trial": str(trial.number)}
        began = group_began(name, tags, kind="candidate", key=f"trial-{trial.number}", group=study)
        self._tracker._send([began])
        value, state, outcome = None, "FAIL", FINISHED
        try:
            with self._members_of(began.tree, alone=alone, counts=counts):
                value, state = func(trial), "COMPLETE"
            return value
        except TrialPruned:
            state = "PRUNED"
            raise
        except BaseException as error:
            outcome = outcome_of(error)
            if not isinstance(error, Exception):  # such as Ctrl-C
                self._repeat(trial)
            raise
        finally:
            self._tracker._send(self._ended(began.tree, trial, {"value": value}, state, outcome))

    @contextmanager
    def _members_of(self, tree: UUID, *, alone: bool, counts: bool) -> Iterator[None]:
        """Make fits in this context members of a trial; if it runs ``alone``, also those in other threads."""
        tracker = self._tracker
        token, outer = IN_CONTEXT.set((tracker, tree)), tracker._group
        folds = FOLDS.set(count() if counts else None)
        if alone:
            tracker._group = tree
        try:
            yield
        finally:
            IN_CONTEXT.reset(token)
            FOLDS.reset(folds)
            if alone:
                tracker._group = outer

    def _ended(self, tree: UUID, trial: Trial, value: dict[str, Any], state: str, outcome: Outcome) -> list[Event]:
        """Return the events of the end of a trial."""
        params = {name: as_text(each) for name, each in trial.params.items()}
        reported = self._study.get_trials(deepcopy=False)[trial.number].intermediate_values
        time = now()
        points = [
            Reported(tree=tree, time=time, path=(), step=step, metrics={"intermediate_value": each}, tags={})
            for step, each in reported.items()
        ]
        entries = EntriesAdded(
            tree=tree,
            time=time,
            to="root",
            metrics=numbers_in({**trial.user_attrs, **value}),
            tags={"seqpipe.state": state},
            params=params,
            name=": ".join(filter(None, [f"trial {trial.number}", candidate_name(params)])),
        )
        return [*points, entries, FitEnded(tree=tree, time=time, outcome=outcome, held=False)]

    def _note_best(self, tree: UUID, study: Study, trial: FrozenTrial) -> None:
        """Add the best value so far to the run of the study."""
        try:
            best = study.best_value
        except (RuntimeError, ValueError):  # several objectives, or no trial is complete
            return
        self._tracker._send(
            [Reported(tree=tree, time=now(), path=(), step=trial.number, metrics={"best_value": best}, tags={})]
        )


def _known_of(search: StudiedSearch, tree: UUID) -> Iterator[Event]:
    """Yield what is known of a search when it begins."""
    when: dict[str, Any] = {"tree": tree, "time": now()}
    yield EntriesAdded(**when, to="root", metrics={}, tags={}, params=search.scoring)
    if search.data is not None:
        yield DataSeen(**when, data=search.data)
