"""Checks that a task keeps nothing between calls, changes no data, and that its model can be kept and needs what it says."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
from sklearn.base import clone

from seqpipe.tasks import Task, TaskData
from seqpipe.testing._report import Failure, Skip, told
from seqpipe.testing._samples import keys_of
from seqpipe.testing.tasks._subject import TaskSubject, naming_the_method

__all__ = ["PURITY"]


def nothing_is_kept_between_calls(subject: TaskSubject) -> None:
    """Another instance gives the same metrics for the fitted estimator, and a fit to other data in between changes nothing."""
    task, fitted, test = subject.task, subject.fitted, subject.test
    remedy = (
        "A task is called without what happened before: read settings from the estimator, and compute the rest again."
    )
    with naming_the_method():
        expected = task.metrics(fitted, test)
        other = _with_remedy(lambda: subject.new_task().metrics(fitted, test), remedy)
        if other != expected:
            raise Failure(f"Another instance has the metrics {other} instead of {expected}. {remedy}")
        _used_otherwise(subject, task)
        if task.metrics(fitted, test) != expected:
            raise Failure(
                f"After a fit to other data the metrics are {task.metrics(fitted, test)}, not {expected}. {remedy}"
            )


def _with_remedy(call: Callable[[], Any], remedy: str) -> Any:
    try:
        return call()
    except Exception as error:
        raise Failure(f"Another instance fails: {told(error)}. {remedy}") from error


def _used_otherwise(subject: TaskSubject, task: Task) -> None:
    """Do all that a task does, with a part of the data."""
    part = subject.train
    estimator = subject.estimator()
    train, test = task.split(estimator, part, test_size=0.25, seed=1)
    fitted = clone(estimator).fit(train.X, train.y)
    task.metrics(fitted, test)
    task.baselines(fitted, train, test)
    task.predictions(fitted, test)


def data_is_not_changed(subject: TaskSubject) -> None:
    """The table and the data stay as they are in all calls."""
    task = subject.task
    with naming_the_method():
        if subject.table is not None:
            frame = subject.table.copy()
            task.from_table(frame, subject.roles, name="checked")
            if not frame.equals(subject.table):
                raise Failure("from_table() changes the table: work on a copy, as frame.assign(…) makes one.")
        data = subject.data()
        _divided(task, subject.estimator(), data)
        _check_same("split() or cv()", data, subject.data())
        _check_held_out(subject, *subject.split())


def _divided(task: Task, estimator: Any, data: TaskData) -> None:
    train, _ = task.split(estimator, data, test_size=0.25, seed=0)
    list(task.cv(estimator, train, n_splits=2, seed=0).split(train.X, train.y))


def _check_held_out(subject: TaskSubject, train: TaskData, test: TaskData) -> None:
    task = subject.task
    calls: dict[str, Callable[[], Any]] = {
        "metrics()": lambda: task.metrics(subject.fitted, test),
        "baselines()": lambda: task.baselines(subject.fitted, train, test),
        "pictures()": lambda: task.pictures(subject.fitted, train, test),
        "epoch_pictures()": lambda: task.epoch_pictures(subject.fitted, test),
        "predictions()": lambda: task.predictions(subject.fitted, test),
    }
    for method, call in calls.items():
        call()
        for found, expected in zip((train, test), subject.split()):
            _check_same(method, found, expected)


def _check_same(method: str, found: TaskData, expected: TaskData) -> None:
    if keys_of(found.X, found.y) != keys_of(expected.X, expected.y):
        raise Failure(f"{method} changes X or y of the data: work on a copy.")


def fitted_estimators_are_pickled(subject: TaskSubject) -> None:
    """A fitted estimator that is pickled and loaded has the same predictions."""
    try:
        loaded = pickle.loads(pickle.dumps(subject.fitted))
    except Exception as error:
        raise Failure(
            f"It cannot be pickled: {told(error)}. Define classes and functions at the top of a module."
        ) from error
    with naming_the_method():
        found, expected = (subject.task.predictions(each, subject.test) for each in (loaded, subject.fitted))
    if not found.equals(expected):
        raise Failure("After pickling the predictions differ: keep all that predict reads when it is pickled.")


def targets_are_needed_only_if_said(subject: TaskSubject) -> None:
    """With needs_target=False it is fitted, measured and predicts without targets."""
    task = subject.task
    if task.target_type == "series" or task.needs_target:
        raise Skip("a series is its own target" if task.target_type == "series" else "it needs targets")
    remedy = "Set needs_target=True, or let y be None."
    try:
        data = _without_target(subject)
        train, test = task.split(subject.estimator(), data, test_size=0.25, seed=0)
        fitted = clone(subject.estimator()).fit(train.X, train.y)
        metrics = task.metrics(fitted, test)
        predicted = task.predictions(fitted, test)
    except Exception as error:
        raise Failure(f"needs_target is False, but without targets it fails: {told(error)}. {remedy}") from error
    if not metrics or not isinstance(predicted, pd.DataFrame):
        raise Failure(f"needs_target is False, but without targets there are no metrics. {remedy}")


def _without_target(subject: TaskSubject) -> TaskData:
    if subject.table is None:
        return replace(subject.data(), y=None)
    frame = subject.table.drop(columns=list(subject.roles.target))
    return subject.task.from_table(frame, replace(subject.roles, target=()), name="checked")


PURITY = (
    nothing_is_kept_between_calls,
    data_is_not_changed,
    fitted_estimators_are_pickled,
    targets_are_needed_only_if_said,
)
