"""The task protocol: what a kind of problem brings, so that one runner can serve them all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import Roles, TargetType

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["Task", "TaskData"]


@dataclass(frozen=True)
class TaskData:
    """Data that a task's estimator can be fitted to.

    Attributes
    ----------
    X : sequences, or a DataFrame of shape (n_timesteps, n_columns) for a series
        The input.
    y : array of shape (n_samples,) or (n_samples, n_outputs), or one of these a time step, or None
        The target; a list of arrays, or an array with n_timesteps as its second axis, where each step has one; None where
        the series is its own.
    name : str
        What reports call the data.
    roles : Roles
        The columns they came from.
    """

    X: Any
    y: Any
    name: str
    roles: Roles = field(default_factory=Roles)


class Task(ABC):
    """How one kind of problem is modelled, judged and shown.

    A plug-in offers a subclass through ``seqpipe_tasks``. A task keeps no state between calls: what it needs to know of a model
    it reads from the estimator in hand, which may be inside a Pipeline or a search; `with_settings` is for what no estimator
    has.
    """

    #: Whether data without targets, other than a series, is no use.
    needs_target: ClassVar[bool] = True

    #: What its target columns hold: "labels" and "texts" are read as they are written, "numbers" are numbers, a "series" is
    #: what is forecast. None leaves it to what a column looks like.
    target_type: ClassVar[TargetType] = None

    #: Whether a column of sequences is a column of texts.
    reads_texts: ClassVar[bool] = False

    @abstractmethod
    def from_table(self, frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool = True) -> TaskData:
        """Turn a table into data; without target for prediction.

        Raises
        ------
        InvalidSequencesError
            If the table is unfit; names the place.
        """

    def with_settings(self, params: Mapping[str, Any]) -> tuple[Task, dict[str, Any]]:
        """Return the task with those of ``params`` that are its own, and the others, which are the estimator's.

        Raises
        ------
        ValueError
            If a setting is invalid.
        """
        return self, dict(params)

    @abstractmethod
    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return the unfitted estimator with ``params``, the names a recipe writes under ``task:``."""

    @abstractmethod
    def split(self, estimator: Any, data: TaskData, *, test_size: float | int, seed: int) -> tuple[TaskData, TaskData]:
        """Return what to train the estimator on and what is held out, a share of the samples or a number of them."""

    @abstractmethod
    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> Any:
        """Return the cross-validation splitter that is valid for this kind of data."""

    @abstractmethod
    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return the scores of a fitted estimator on held-out data, by name."""

    @abstractmethod
    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of models that a useful one must beat, measured as those of the fitted estimator, by their names."""

    @abstractmethod
    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return figures that show the fitted estimator on held-out data, by file name without ending."""

    @abstractmethod
    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return predictions as a table with one row a sample (or a time step ahead)."""

    def texts(self, estimator: Any) -> dict[str, str]:
        """Return what the fitted estimator writes, to be shown and recorded, by file name without ending; nothing by default."""
        return {}

    def future(self, data: TaskData, n_steps: int) -> TaskData:
        """Return what stands for the ``n_steps`` after the end of a series, for `predictions`; series only."""
        raise InvalidSequencesError(f"{data.name!r} is no series that goes on: give a table to predict for.")

    def scorer(self, name: str | None) -> str | Callable[..., float] | None:
        """Return what GridSearchCV takes as ``scoring`` for a recipe's name; sklearn's by default."""
        return name

    def parameter(self, name: str) -> str:
        """Return the estimator's own name for one under ``task:`` or ``search:``; the same by default."""
        return name
