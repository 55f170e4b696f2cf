"""`check_task`: conformance checks for tasks, to be run in the tests of plug-ins."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import pandas as pd

from seqpipe.tables import Roles
from seqpipe.tasks import Task, TaskData
from seqpipe.testing._report import Check, CheckReport, check_named, run_checks, selected
from seqpipe.testing.tasks._data import default_table
from seqpipe.testing.tasks._parts import PARTS
from seqpipe.testing.tasks._purity import PURITY
from seqpipe.testing.tasks._recipes import RECIPES
from seqpipe.testing.tasks._results import RESULTS
from seqpipe.testing.tasks._subject import TaskSubject

__all__ = ["TASK_CHECKS", "check_task"]

#: All checks of tasks, in the order in which they run.
TASK_CHECKS: tuple[Check[TaskSubject], ...] = tuple(
    check_named(function.__name__, function) for function in (*PARTS, *RESULTS, *PURITY, *RECIPES)
)


def check_task(
    task: Callable[[], Task] | Task,
    *,
    table: pd.DataFrame | None = None,
    roles: Roles | None = None,
    data: TaskData | None = None,
    params: Mapping[str, Any] | None = None,
    include: Collection[str] | None = None,
    exclude: Collection[str] = (),
    expected_failed: Mapping[str, str] | None = None,
    raise_exceptions: bool = True,
) -> CheckReport:
    """Check that a task keeps the protocol: its return values, on small data, alone and in a recipe.

    Warnings are not shown: what is checked is the protocol, not how well a model fits.

    Parameters
    ----------
    task : subclass of Task, or Task
        The task.
    table : DataFrame, optional
        A table for the task, with a few dozen samples or time steps. By default one is made if the ``target_type`` of the task is
        "labels", "numbers" or "series".
    roles : Roles, optional
        Roles of the columns of the table.
    data : TaskData, optional
        Data that never was a table, instead of one.
    params : dict, optional
        Parameters of the estimator, as written under ``task:`` in a recipe. By default ``hidden_size=4``, ``max_epochs=2`` and
        ``random_state=0``, as far as the estimator has them.
    include, exclude, expected_failed, raise_exceptions
        As in `check_cell`.

    Returns
    -------
    report : CheckReport
        The outcome of every check.

    Raises
    ------
    CheckError
        If a check fails and ``raise_exceptions`` is true.
    ValueError
        If the task needs data that is not made.

    Examples
    --------
    >>> from seqpipe.tasks import RegressTask
    >>> from seqpipe.testing import check_task
    >>> check_task(RegressTask, exclude=["runs_in_a_search"]).passed
    True
    """
    checks = selected(TASK_CHECKS, include, exclude, owner="check_task")
    make = partial(copy.deepcopy, task) if isinstance(task, Task) else task
    made = default_table(make()) if table is None and data is None else (table, roles)
    if made is None:
        raise ValueError(
            f"check_task makes no data for {make()!r}, which is for texts or has no target_type. Pass a table and its roles, "
            "or data."
        )
    subject = TaskSubject(make, made[0], made[1] or Roles(), data, params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = run_checks(checks, subject, subject.name, expected_failed)
    if raise_exceptions:
        report.raise_if_failed()
    return report
