"""Translate the tasks of fits to events."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from sklearn.model_selection._search import BaseSearchCV

from seqpipe.callbacks import FOLD_NUMBER, RUNG, SEARCH, FitTask, TaskPath, n_candidates, ranking_metric
from seqpipe.tracking._device import describe_device
from seqpipe.tracking._events import (
    DataSeen,
    Event,
    FitBegan,
    Reported,
    RunBegan,
    RunEnded,
    RungBegan,
    SearchBegan,
    SearchEnded,
)
from seqpipe.tracking._fingerprint import DataSet, fingerprint
from seqpipe.tracking._names import fit_name
from seqpipe.tracking._outcome import FINISHED, now, outcome_of
from seqpipe.tracking._params import as_text, cells_in, changed_params, numbers_in, scalar_params, texts_in
from seqpipe.tracking._run import Kind
from seqpipe.tracking._run_path import run_path
from seqpipe.tracking._search import (
    grid_of,
    has_indexed_folds,
    has_rungs,
    resources_of_rung,
    results_of,
    searched_params,
)

__all__ = ["FOLDS", "begin_events", "end_events", "fit_began", "group_began"]

#: Numbers of the folds that outermost fits in this context are, in their order; None if they are none.
FOLDS: ContextVar[Iterator[int] | None] = ContextVar("folds", default=None)


def fit_began(
    estimator: Any, task: FitTask, name: str, tags: dict[str, str], *, logs_model: bool, key: str | None
) -> FitBegan:
    """Return the event that starts an outermost fit."""
    is_search = isinstance(estimator, BaseSearchCV)
    return FitBegan(
        tree=task.tree,
        time=now(),
        name=as_text(name),
        is_search=is_search,
        logs_model=logs_model,
        params=changed_params(estimator, deep=not is_search),
        tags={**tags, **_model_tags(estimator)},
        key=key,
    )


def group_began(
    name: str, tags: dict[str, str], *, kind: Kind = "group", key: str | None = None, group: UUID | None = None
) -> FitBegan:
    """Return the event that starts a group of outermost fits, within another one if that is given."""
    return FitBegan(
        tree=uuid4(),
        time=now(),
        name=as_text(name),
        is_search=False,
        logs_model=False,
        params={},
        tags=tags,
        key=key,
        kind=kind,
        group=group,
    )


def begin_events(
    estimator: Any, task: FitTask, X: Any, y: Any, data_name: str, *, group: UUID | None = None
) -> Iterator[Event]:
    """Yield the events of the start of a task; of an outermost fit in a ``group`` also that which starts the fit."""
    tree, time, path = task.tree, now(), task.path
    data = None if path or X is None else fingerprint(X, y, name=data_name)
    if not path and group is not None:
        yield _member_began(estimator, task, data, group)
    if data is not None:
        yield DataSeen(tree=tree, time=time, data=data)
    if task.name == SEARCH and not run_path(path) and (has_indexed_folds(estimator) or has_rungs(estimator)):
        yield SearchBegan(
            tree=tree,
            time=time,
            path=path[:-1],
            n_splits=estimator.n_splits_,
            searched=searched_params(estimator),
            grid=grid_of(estimator),
            n_fits=_n_fits(estimator),
            metric=ranking_metric(estimator) or "score",
        )
    if _is_rung(task):
        yield _rung_began(estimator, task, time)
    if path and run_path(path) == path:
        # If the estimator does not support callbacks, the search notifies them instead.
        yield RunBegan(
            tree=tree,
            time=time,
            path=path,
            worker=(os.getpid(), threading.get_ident()),
            params=changed_params(estimator) if task.is_merged else {},
            tags=_model_tags(estimator) if task.is_merged else {},
            every=scalar_params(estimator) if task.is_merged and any(role == RUNG for role, _ in path) else {},
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
    if outcome != FINISHED or (path and run_path(path) == path) or _is_rung(task):
        yield RunEnded(tree=tree, time=time, path=path, outcome=outcome)
    if task.name == "fit" and not run_path(path) and hasattr(estimator, "cv_results_"):
        yield SearchEnded(tree=tree, time=time, path=path, results=results_of(estimator))


def _member_began(estimator: Any, task: FitTask, data: DataSet | None, group: UUID) -> FitBegan:
    """Return the event that starts a fit in a group; its key is the same if it is repeated with the same data."""
    name = fit_name(estimator)
    began = fit_began(estimator, task, name, {}, logs_model=False, key=None)
    what = [name, began.params, None if data is None else (data.sha256, data.targets_sha256)]
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
    began = replace(began, key=f"fit-{key}", group=group)
    fold, folds = FOLD_NUMBER.get(), FOLDS.get()
    if fold is None and folds is not None:
        fold = next(folds)
    if fold is None:
        return began
    tags = {**began.tags, "seqpipe.fold": str(fold + 1)}
    return replace(began, key=f"fold-{fold + 1}", name=f"fold {fold + 1}", kind="fold", tags=tags)


def _is_rung(task: FitTask) -> bool:
    return task.name == RUNG and not run_path(task.path)


def _rung_began(search: Any, task: FitTask, time: int) -> RungBegan:
    number = task.path[-1][1]
    n_candidates = (task.n_subtasks or 0) // search.n_splits_
    return RungBegan(
        tree=task.tree,
        time=time,
        path=task.path,
        n_splits=search.n_splits_,
        n_candidates=n_candidates,
        resource=search.resource,
        amount=resources_of_rung(search, number, n_candidates),
        grid=grid_of(search),
    )


def _report(tree: UUID, time: int, path: TaskPath, metrics: dict[str, float], tags: dict[str, str]) -> Reported:
    step = int(metrics.pop("epoch", 0))
    if "device" in tags:
        device = describe_device(tags["device"])
        metrics, tags = {**metrics, **device.metrics()}, {**tags, **device.tags()}
    named = {f"seqpipe.{name}": value for name, value in tags.items()}
    return Reported(tree=tree, time=time, path=path, step=step, metrics=metrics, tags=named)
