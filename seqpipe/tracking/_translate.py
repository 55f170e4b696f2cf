"""From the tasks of scikit-learn's callbacks to events.

A task's context knows its name, its number and its parent. Where the fit of an estimator is itself a task of
another one, such as a fold of a search, scikit-learn merges both into one context that keeps the outer task's
name as its source; begin and end are then told by the inner estimator, and the end only if its fit gets
there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sklearn.model_selection._search import BaseSearchCV

from seqpipe.tracking._device import describe_device
from seqpipe.tracking._events import (
    DataSeen,
    Event,
    FitBegan,
    Path,
    Reported,
    RunBegan,
    RunEnded,
    SearchBegan,
    SearchEnded,
)
from seqpipe.tracking._fingerprint import fingerprint
from seqpipe.tracking._outcome import FINISHED, Outcome, now, outcome_of
from seqpipe.tracking._params import numbers_in, scalar_params, words_in
from seqpipe.tracking._search import numbers_its_folds, results_of, searched_params
from seqpipe.tracking._tree import run_path

__all__ = ["began", "ended", "fit_began"]


def fit_began(estimator: Any, context: Any, name: str, tags: dict[str, str]) -> FitBegan:
    """Return the event of an outermost fit."""
    is_search = isinstance(estimator, BaseSearchCV)
    return FitBegan(
        tree=context.root_uuid,
        time=now(),
        name=name,
        is_search=is_search,
        params=scalar_params(estimator, deep=not is_search),
        tags={**tags, "seqpipe.estimator": type(estimator).__name__},
    )


def began(estimator: Any, context: Any, X: Any, y: Any, data_name: str) -> Iterator[Event]:
    """Yield what the begin of a task means for the runs."""
    tree, time, path = context.root_uuid, now(), _path_of(context)
    if not path and X is not None:
        yield DataSeen(tree=tree, time=time, data=fingerprint(X, y, name=data_name))
    if context.task_name == "search" and not run_path(path) and numbers_its_folds(estimator):
        searched = searched_params(estimator)
        yield SearchBegan(tree=tree, time=time, path=path[:-1], n_splits=estimator.n_splits_, searched=searched)
    if path and run_path(path) == path:
        # An estimator without callbacks never begins a task; then the search does, in its place.
        is_own = context.source_task_name is not None
        yield RunBegan(
            tree=tree,
            time=time,
            path=path,
            worker=(os.getpid(), threading.get_ident()),
            params=scalar_params(estimator) if is_own else {},
            tags={"seqpipe.estimator": type(estimator).__name__} if is_own else {},
        )


def ended(
    estimator: Any, context: Any, metadata: dict[str, Any] | None, travelling: BaseException | None
) -> Iterator[Event]:
    """Yield what the end of a task means for the runs.

    ``travelling`` is the exception on its way out of the fit, if any.
    """
    tree, time, path = context.root_uuid, now(), _path_of(context)
    outcome, metrics, tags = outcome_of(travelling), numbers_in(metadata or {}), words_in(metadata or {})
    if "error" in tags:
        outcome = Outcome("KILLED" if outcome.status == "KILLED" else "FAILED", tags.pop("error"))
    if metrics or tags:
        yield _report(tree, time, path, metrics, tags)
    if outcome != FINISHED or (path and run_path(path) == path):
        yield RunEnded(tree=tree, time=time, path=path, outcome=outcome)
    if context.task_name == "fit" and not run_path(path) and hasattr(estimator, "cv_results_"):
        yield SearchEnded(tree=tree, time=time, path=path, results=results_of(estimator))


def _report(tree: UUID, time: int, path: Path, metrics: dict[str, float], tags: dict[str, str]) -> Reported:
    step = int(metrics.pop("epoch", 0))
    if "device" in tags:
        device = describe_device(tags["device"])
        metrics, tags = {**metrics, **device.metrics()}, {**tags, **device.tags()}
    named = {f"seqpipe.{name}": value for name, value in tags.items()}
    return Reported(tree=tree, time=time, path=path, step=step, metrics=metrics, tags=named)


def _path_of(context: Any) -> Path:
    """Return the tasks from below the outermost fit down to the task of a callback context."""
    path = []
    while context.parent is not None:
        path.append((context.source_task_name or context.task_name, context.task_id))
        context = context.parent
    return tuple(reversed(path))
