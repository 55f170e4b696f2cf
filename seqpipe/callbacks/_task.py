"""A task of a fit, as scikit-learn's contexts describe it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

__all__ = ["FOLD", "FOLD_NUMBER", "PARTIAL_FIT", "REFIT", "RUNG", "SEARCH", "FitTask", "TaskPath"]

#: The number of the fold, from 0, that outermost fits in this context are; None if they are none.
FOLD_NUMBER: ContextVar[int | None] = ContextVar("fold_number", default=None)

#: scikit-learn's names of the tasks of a search: all candidates, one of them on one split, and the refit.
SEARCH, FOLD, REFIT = "search", "candidate-split-evaluation", "refit-with-best-params"
#: And of a successive halving search: all candidates that are left, with the same resources.
RUNG = "halving-iteration"
#: The task of an estimator that trains for one epoch more.
PARTIAL_FIT = "partial-fit"

#: The tasks from below the outermost fit down to one of them: (role, number) each.
TaskPath = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class FitTask:
    """A task of a fit.

    Where the fit of an estimator is itself a task of another estimator, such as a fold of a search, scikit-learn merges
    both into one task. Its begin and end are then notified by the inner estimator, and the end only if its fit gets there.

    Attributes
    ----------
    tree : UUID
        Of the outermost fit.
    path : tuple of (str, int)
        From below the outermost fit, whose own path is empty, down to this task: role and number of each task. The role
        of a merged task is the outer one's.
    name : str
        Its name where it runs, such as "fit" or "epoch".
    is_merged : bool
        Whether it is also a fit of an estimator inside another one.
    n_siblings : int or None
        How many tasks of its kind are planned; None if that is not known.
    n_subtasks : int or None
        How many tasks below it are planned; None if that is not known.
    """

    tree: UUID
    path: TaskPath
    name: str
    is_merged: bool
    n_siblings: int | None
    n_subtasks: int | None

    @classmethod
    def of(cls, context: Any) -> FitTask:
        """Return the task of a callback context."""
        n_siblings = None if context.parent is None else context.parent.max_subtasks
        is_merged = context.source_task_name is not None
        return cls(context.root_uuid, _path(context), context.task_name, is_merged, n_siblings, context.max_subtasks)

    @property
    def is_outermost(self) -> bool:
        """Whether this is the fit that all others are a part of."""
        return not self.path

    @property
    def role(self) -> str:
        """What the task is for the one above it, such as `FOLD` for the fit of an estimator in a search."""
        return self.path[-1][0] if self.path else self.name

    @property
    def is_inner(self) -> bool:
        """Whether it is a part of a fold or of the refit of a search."""
        return bool({FOLD, REFIT} & {role for role, _ in self.path[:-1]})

    @property
    def is_fold(self) -> bool:
        """Whether it is a fold of a search, and no part of another fold or of a refit."""
        return self.role == FOLD and not self.is_inner


def _path(context: Any) -> TaskPath:
    path = []
    while context.parent is not None:
        path.append((context.source_task_name or context.task_name, context.task_id))
        context = context.parent
    return tuple(reversed(path))
