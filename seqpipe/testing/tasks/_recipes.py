"""Checks that a task runs in a recipe."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from seqpipe.datasets import Dataset
from seqpipe.pipeline import run_recipe
from seqpipe.plugins import host
from seqpipe.specs import ReaderSpec, TaskSpec
from seqpipe.testing._report import Failure, Skip, told
from seqpipe.testing.tasks._results import any_parameter
from seqpipe.testing.tasks._subject import TaskSubject

__all__ = ["RECIPES"]

_DISTRIBUTION, _TASK, _SUFFIX = "check-task", "checked_task", ".checked"


def runs_in_a_recipe(subject: TaskSubject) -> None:
    """A recipe trains and evaluates it."""
    _check_metrics(subject, _run(subject))


def runs_in_a_search(subject: TaskSubject) -> None:
    """A recipe with a search tunes it."""
    given = dict(subject.params) or {
        name.rpartition("__")[2]: values[0] for name, values in any_parameter(subject).items()
    }
    if not given:
        raise Skip("its estimator has no parameter to search")
    name, value = next(iter(given.items()))
    _check_metrics(subject, _run(subject, search={"grid": {name: [value]}, "cv": 2}))


def _check_metrics(subject: TaskSubject, found: Any) -> None:
    expected = subject.task.metrics(subject.fitted, subject.test)
    if list(found.metrics) != list(expected):
        raise Failure(
            f"In a recipe its metrics are {list(found.metrics)}, alone {list(expected)}: name them alike for any data."
        )


def _run(subject: TaskSubject, **more: Any) -> Any:
    """Run a recipe of the task on a file that a reader turns into the data of the subject."""
    with TemporaryDirectory() as folder, ExitStack() as offered:
        path = Path(folder) / f"data{_SUFFIX}"
        path.touch()
        reader = ReaderSpec("checked_data", lambda path: _read(subject), suffixes=(_SUFFIX,))
        for kind, spec in (("task", TaskSpec(_TASK, subject.make)), ("reader", reader)):
            offered.enter_context(host().offering(kind, spec, _DISTRIBUTION))
        recipe = {
            "name": "checked",
            "data": {"path": str(path), **_roles(subject)},
            "task": {_TASK: dict(subject.params if subject.given_params is None else subject.given_params)},
            "tracking": {"enabled": False},
            **more,
        }
        try:
            return run_recipe(recipe)
        except Exception as error:
            said = "with search: " if more else ""
            raise Failure(f"A recipe {said}fails: {told(error)}") from error


def _read(subject: TaskSubject) -> pd.DataFrame | Dataset:
    if subject.table is not None:
        return subject.table.copy()
    data = subject.data()
    if isinstance(data.X, pd.DataFrame):
        return Dataset(data.name, frame=data.X)
    return Dataset(data.name, data.X, data.y)


def _roles(subject: TaskSubject) -> dict[str, Any]:
    """Return the roles of the columns as written in a recipe; the time of a series is its index."""
    roles = subject.roles
    if subject.table is None:
        X, roles = subject.data().X, subject.data().roles
        if not isinstance(X, pd.DataFrame):
            return {}
        if isinstance(X.index, pd.MultiIndex):
            raise Skip("in a recipe a panel is a table: pass a table and its roles")
        roles = replace(roles, time=None)
    written = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(roles).items()}
    return {name: value for name, value in written.items() if value}


RECIPES = (runs_in_a_recipe, runs_in_a_search)
