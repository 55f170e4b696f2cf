"""`FitListener`: a callback of fits, in any process that runs them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from seqpipe.callbacks._candidates import scores_by_method
from seqpipe.callbacks._scores import note_fold, unnoted
from seqpipe.callbacks._task import FitTask, TaskPath

__all__ = ["FitListener"]


class FitListener:
    """Receives the tasks of fits; a subclass overrides what it has use for.

    Worker processes get a copy by pickle.
    """

    #: scikit-learn hands the callback on to estimators inside estimators, however deep.
    max_propagation_depth = None

    def __init__(self) -> None:
        #: The outermost fits, and of each the searches in it that score by the own method of estimators.
        self._under_way: dict[UUID, set[TaskPath]] = {}

    def opened(self, estimator: Any, task: FitTask) -> None:
        """Note that an outermost fit begins in this process; what is raised here ends the fit."""

    def began(self, estimator: Any, task: FitTask, X: Any, y: Any) -> None:
        """Note that a task begins, with its data or None."""

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        """Note that a task ends; the metadata of an estimator's fit are its summary, or its ``error``.

        Those of an epoch are its record in ``history_``. The estimator predicts with the weights of the epoch, an ensemble
        with those of its first network. With ``replayed`` the epoch is over for longer and the weights are others: the fit
        continues after it from a checkpoint, or has ended.
        """

    def scored(self, estimator: Any, task: FitTask, scores: dict[str, float]) -> None:
        """Note scores of the fold that ended last in this thread, such as ``test_score``; see `reported`."""

    def closed(self, estimator: Any, task: FitTask) -> None:
        """Note that an outermost fit is over, with or without an error."""

    def setup(self, estimator: Any, context: Any) -> None:
        """Begin an outermost fit; scikit-learn calls this."""
        self._under_way[context.root_uuid] = set()
        self.opened(estimator, FitTask.of(context))

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any = None, y: Any = None) -> None:
        """Begin a task; scikit-learn calls this."""
        task = FitTask.of(context)
        if task.name == "fit" and task.tree in self._under_way and scores_by_method(estimator):
            self._under_way[task.tree].add(task.path)
        self.began(estimator, task, X, y)

    def on_fit_task_end(self, estimator: Any, context: Any, *, metadata: Any = None) -> bool:
        """End a task; scikit-learn calls this.

        Returns
        -------
        stop : bool
            Whether the outermost fit was interrupted, and this is a thread of it that still runs.
        """
        task = FitTask.of(context)
        with unnoted():
            self.ended(estimator, task, metadata or {})
        if task.is_fold:
            searches = self._under_way.get(task.tree, set())
            note_fold(self, estimator, task, by_method=any(task.path[: len(path)] == path for path in searches))
        return self.interrupted(context)

    def interrupted(self, context: Any) -> bool:
        """Return whether the outermost fit of a task was interrupted, while a thread of it still runs."""
        return context.root_uuid not in self._under_way

    def teardown(self, estimator: Any, context: Any) -> None:
        """End an outermost fit; scikit-learn calls this after every fit."""
        self._under_way.pop(context.root_uuid, None)
        self.closed(estimator, FitTask.of(context))
