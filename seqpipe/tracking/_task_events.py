"""Translate the tasks of fits to events."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sklearn.model_selection._search import BaseSearchCV

from seqpipe.callbacks import SEARCH, FitTask, TaskPath, n_candidates
from seqpipe.tracking._device import describe_device
from seqpipe.tracking._events import (
    DataSeen,
    Event,
    FitBegan,
    Reported,
    RunBegan,
    RunEnded,
    SearchBegan,
    SearchEnded,
)
from seqpipe.tracking._fingerprint import fingerprint
from seqpipe.tracking._outcome import FINISHED, now, outcome_of
from seqpipe.tracking._params import cells_in, changed_params, numbers_in, texts_in
from seqpipe.tracking._search import grid_of, has_indexed_folds, results_of, searched_params
from seqpipe.tracking._tree import run_path

__all__ = ["begin_events", "end_events", "fit_began"]


def fit_began(
    estimator: Any, task: FitTask, name: str, tags: dict[str, str], *, logs_model: bool, key: str | None
) -> FitBegan:
    """Return the event that starts an outermost fit."""
    is_search = isinstance(estimator, BaseSearchCV)
    return FitBegan(
        tree=task.tree,
        time=now(),
        name=name,
        is_search=is_search,
        logs_model=logs_model,
        params=changed_params(estimator, deep=not is_search),
        tags={**tags, **_model_tags(estimator)},
        key=key,
    )


def begin_events(estimator: Any, task: FitTask, X: Any, y: Any, data_name: str) -> Iterator[Event]:
    """Yield the events of the start of a task."""
    tree, time, path = task.tree, now(), task.path
    if not path and X is not None:
        yield DataSeen(tree=tree, time=time, data=fingerprint(X, y, name=data_name))
    if task.name == SEARCH and not run_path(path) and has_indexed_folds(estimator):
        yield SearchBegan(
            tree=tree,
            time=time,
            path=path[:-1],
            n_splits=estimator.n_splits_,
            searched=searched_params(estimator),
            grid=grid_of(estimator),
            n_fits=_n_fits(estimator),
        )
    if path and run_path(path) == path:
        # If the estimator does not support callbacks, the search notifies them instead.
        yield RunBegan(
            tree=tree,
            time=time,
            path=path,
            worker=(os.getpid(), threading.get_ident()),
            params=changed_params(estimator) if task.is_merged else {},
            tags=_model_tags(estimator) if task.is_merged else {},
        )


def _model_tags(estimator: Any) -> dict[str, str]:
    """Return tags with the class of an estimator and, if it has one, its cell."""
    cells = [] if hasattr(estimator, "cv") else cells_in(estimator.get_params())
    return {"seqpipe.estimator": type(estimator).__name__, **({"seqpipe.cell": cells[0]} if len(cells) == 1 else {})}


def _n_fits(search: Any) -> int | None:
    number = n_candidates(search)
    return None if number is None else number * search.n_splits_ + bool(search.refit)


def end_events(estimator: Any, task: FitTask, metadata: dict[str, Any], error: BaseException | None) -> Iterator[Event]:
    """Yield the events of the end of a task.

    ``error`` is the exception that is leaving the fit, if any.
    """
    tree, time, path = task.tree, now(), task.path
    metrics, tags = numbers_in(metadata), texts_in(metadata)
    outcome = outcome_of(error, reported=tags.pop("error", None))
    if metrics.get("epoch") == 1 and task.n_siblings:
        tags["n_epochs"] = str(task.n_siblings)
    if metrics or tags:
        yield _report(tree, time, path, metrics, tags)
    if outcome != FINISHED or (path and run_path(path) == path):
        yield RunEnded(tree=tree, time=time, path=path, outcome=outcome)
    if task.name == "fit" and not run_path(path) and hasattr(estimator, "cv_results_"):
        yield SearchEnded(tree=tree, time=time, path=path, results=results_of(estimator))


def _report(tree: UUID, time: int, path: TaskPath, metrics: dict[str, float], tags: dict[str, str]) -> Reported:
    step = int(metrics.pop("epoch", 0))
    if "device" in tags:
        device = describe_device(tags["device"])
        metrics, tags = {**metrics, **device.metrics()}, {**tags, **device.tags()}
    named = {f"seqpipe.{name}": value for name, value in tags.items()}
    return Reported(tree=tree, time=time, path=path, step=step, metrics=metrics, tags=named)
