"""The task that is checked, its data, and its fitted estimator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd
from sklearn.base import clone

from seqpipe.exceptions import PluginError
from seqpipe.pipeline import checked_task
from seqpipe.tables import Roles
from seqpipe.tasks import Task, TaskData
from seqpipe.testing._report import Failure

__all__ = ["TaskSubject", "naming_the_method"]

#: Values of parameters of estimators that make a fit short and reproducible.
_SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


@dataclass(frozen=True)
class TaskSubject:
    """A task to be checked.

    Attributes
    ----------
    make : callable () -> Task
        Returns a new task.
    table : DataFrame or None
        The table that its data is read from.
    roles : Roles
        Roles of the columns of the table.
    given : TaskData or None
        Its data, if there is no table.
    given_params : dict or None
        Parameters of its estimator, by their names in a recipe.
    """

    make: Callable[[], Task]
    table: pd.DataFrame | None
    roles: Roles
    given: TaskData | None
    given_params: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        """Name of the task in reports."""
        return type(self.make()).__name__

    def new_task(self) -> Task:
        """Return a new task, with its settings among the given parameters, whose results are validated."""
        return checked_task(self.make(), self.name).with_settings(self.given_params or {})[0]

    @cached_property
    def task(self) -> Task:
        """A task that all checks share."""
        return self.new_task()

    @cached_property
    def params(self) -> dict[str, Any]:
        """Parameters of the estimator: those given, else those that make a fit short, as far as it has them."""
        if self.given_params is not None:
            return checked_task(self.make(), self.name).with_settings(self.given_params)[1]
        known = self.task.estimator({}).get_params()
        return {name: value for name, value in _SMALL.items() if {name, self.task.parameter(name)} & known.keys()}

    def estimator(self) -> Any:
        """Return a new estimator."""
        return self.task.estimator(self.params)

    def data(self) -> TaskData:
        """Return the data, always with the same values, in objects that may be changed."""
        if self.given is not None:
            return copy.deepcopy(self.given)
        assert self.table is not None
        return self.task.from_table(self.table.copy(), self.roles, name="checked")

    def split(self, **options: Any) -> tuple[TaskData, TaskData]:
        """Return the training data and the held-out data."""
        return self.task.split(self.estimator(), self.data(), **{"test_size": 0.25, "seed": 0, **options})

    @property
    def train(self) -> TaskData:
        """The training data."""
        return self.split()[0]

    @property
    def test(self) -> TaskData:
        """The held-out data."""
        return self.split()[1]

    @cached_property
    def fitted(self) -> Any:
        """The estimator, fitted to the training data."""
        train = self.train
        return clone(self.estimator()).fit(train.X, train.y)

    def untargeted(self) -> TaskData:
        """Return the data as it is read for prediction: without targets."""
        if self.table is None:
            return replace(self.data(), y=None)
        frame = self.table.drop(columns=list(self.roles.target))
        return self.task.from_table(frame, self.roles, name="checked", with_target=False)


@contextmanager
def naming_the_method() -> Iterator[None]:
    """Turn the error about a method that breaks the protocol into a failure."""
    try:
        yield
    except PluginError as error:
        raise Failure(str(error)) from error
