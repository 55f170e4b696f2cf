"""Base class of tasks that predict at every time step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import UnknownNameError, did_you_mean
from seqpipe.sequences import Sequences, as_sequences
from seqpipe.tables import Roles, check_roles, step_targets_of
from seqpipe.tasks._samples import SampleTask, sequences_of
from seqpipe.tasks._task import Task, TaskData

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["ComparedStepTask", "StepScorer", "StepTask", "known_steps", "step_rows"]

#: Metrics that apply to several labels.
_OF_SEVERAL = ("accuracy", "f1_macro", "f1_micro")


def step_rows(values: Any) -> NDArray[Any]:
    """Return the values of all time steps, shape (total_steps, …), from a list of arrays, `Sequences`, or one array."""
    if isinstance(values, Sequences):
        return values.values
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values.reshape(-1, *values.shape[2:])
    return np.concatenate([np.asarray(each) for each in values])


def known_steps(truth: NDArray[Any], *others: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return the truth at the time steps that have one, shape (n_steps, …), and other values at the same steps."""
    known = ~pd.isna(truth).reshape(len(truth), -1).any(axis=1)
    if known.all():
        return truth, *others
    found = truth[known]
    return np.array(found.tolist()) if found.dtype == object else found, *(other[known] for other in others)


@dataclass(frozen=True)
class StepScorer:
    """A metric of a task as a score over all time steps for a search; greater is better.

    Parameters
    ----------
    task : Task
        The task that defines the metric.
    measure : str
        Name of the metric.
    sign : {-1, 1}
        -1 for errors.
    """

    task: Task
    measure: str
    sign: int

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Return the score of a fitted estimator on sequences X and their targets y."""
        return self.sign * self.task.metrics(estimator, TaskData(X, y, "data"))[self.measure]


class StepTask(SampleTask):
    """A task with one prediction per time step: a subclass defines `estimator` and `metrics`.

    A table must be long: an ``id`` column, and one row per step with the target of the step.
    """

    #: Values of ``scoring:``, each with the name of a metric of `metrics` and 1 if greater is better, else -1.
    step_scores: ClassVar[Mapping[str, tuple[str, int]]] = {}

    def from_table(self, frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool = True) -> TaskData:
        """Turn a long table into sequences with ids, and one target per step.

        Parameters
        ----------
        frame : DataFrame of shape (n_rows, n_columns)
            The table, one row per time step.
        roles : Roles
            Roles of its columns; without features, every numeric column that has no other role is one.
        name : str
            Name of the data in errors and reports.
        with_target : bool, default=True
            False for prediction: the target columns may be absent.

        Raises
        ------
        InvalidSequencesError
            If there is no id, a column is missing, or a value or target is invalid or missing; the message names the
            position.
        """
        with_target = with_target and (self.needs_target or bool(roles.target))
        check_roles(frame, roles, name=name, with_target=with_target)
        if not with_target:
            return TaskData(sequences_of(frame, roles, name=name), None, name, roles)
        targets = step_targets_of(frame, roles, name=name)
        X = sequences_of(frame, roles, name=name)
        return TaskData(X, np.split(self.read_targets(targets, name), X.offsets[1:-1]), name, roles)

    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return one row per time step: ``id`` or number of the sequence, ``step``, both from 0, and the prediction."""
        X = _sequences(data.X)
        frame = self.prediction_columns(estimator, data)
        ids = np.arange(len(X)) if X.ids is None else X.ids
        frame.insert(0, "step", np.arange(len(frame)) - np.repeat(X.offsets[:-1], X.lengths))
        frame.insert(0, "id", np.repeat(ids, X.lengths))
        return frame

    def prediction_columns(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return the prediction per time step, or one per target."""
        predicted = step_rows(estimator.predict(data.X))
        if predicted.ndim == 1 or predicted.shape[1] == 1:
            return pd.DataFrame({"prediction": predicted.ravel()})
        names = data.roles.target or range(predicted.shape[1])
        return pd.DataFrame(predicted, columns=[f"prediction_{name}" for name in names])

    def rows(self, values: Any) -> NDArray[Any]:
        """Return the targets or predictions of all time steps of all sequences."""
        return step_rows(values)

    def scorer(self, name: str | None) -> Any:
        """Return a value of ``scoring`` for GridSearchCV: over all steps of all sequences, with errors negated.

        Raises
        ------
        UnknownNameError
            If there is no such score.
        """
        if name is None:
            return None
        if name not in self.step_scores:
            names = sorted(self.step_scores)
            raise UnknownNameError(
                f"There is no score {name!r} for steps.{did_you_mean(name, names)} There are {', '.join(names) or 'none'}."
            )
        return StepScorer(self, *self.step_scores[name])

    def scoring_fault(self, name: str | None, data: TaskData) -> str | None:
        """Return why a score does not apply to several labels; None if it does."""
        if name is None or self.target_type != "labels" or self.step_scores[name][0] in _OF_SEVERAL:
            return None
        if data.y is None or step_rows(data.y).ndim < 2:
            return None
        return f"{name!r} does not apply to several labels. Use one of {', '.join(_OF_SEVERAL)}."


class ComparedStepTask(StepTask):
    """A task with baselines that predict each time step independently."""

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of models that predict each step independently."""
        X_train, X_test = (_sequences(data.X).values for data in (train, test))
        y_train, X_train = known_steps(step_rows(train.y), X_train)
        y_test, X_test = known_steps(step_rows(test.y), X_test)
        y_train, y_test = (y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for y in (y_train, y_test))
        alone = replace(test, X=X_test, y=y_test)
        models = self._models(y_train)
        return {name: self._of_rows(model.fit(X_train, y_train), alone) for name, model in models.items()}

    @abstractmethod
    def _models(self, y: NDArray[Any]) -> dict[str, BaseEstimator]:
        """Return the baselines for targets y, fitted with one row per step."""

    @abstractmethod
    def _of_rows(self, model: Any, data: TaskData) -> dict[str, float]:
        """Return the metrics of a baseline on steps."""


def _sequences(X: Any) -> Sequences:
    found = as_sequences(np.asarray(X)[:, :, None] if getattr(X, "ndim", 1) == 2 else X)
    return found if isinstance(found, Sequences) else Sequences.from_padded(np.asarray(found))
