"""The task protocol: the interface between a kind of problem and the recipe runner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import Roles, TargetType

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from sklearn.base import BaseEstimator

__all__ = ["Task", "TaskData"]


@dataclass(frozen=True)
class TaskData:
    """Data to which the estimator of a task can be fitted.

    Attributes
    ----------
    X : sequences, or a DataFrame of shape (n_timesteps, n_columns) for a series
        The input. The index of several series is a MultiIndex of ids and times.
    y : array of shape (n_samples,) or (n_samples, n_outputs), or one of these per time step, or None
        The target; with one target per step a list of arrays, or an array with n_timesteps as its second axis; an
        object array of shape (n_samples,) if it is of another kind, such as a list of labels; None if the series itself
        is the target, or there is none.
    name : str
        Name of the data in reports.
    roles : Roles
        Roles of the columns of the table.
    history : TaskData or None
        For the steps to forecast of a series, rows that have followed the training data and come before them.
    """

    X: Any
    y: Any
    name: str
    roles: Roles = field(default_factory=Roles)
    history: TaskData | None = field(default=None, kw_only=True)

    def at(self, rows: NDArray[np.intp]) -> Self:
        """Return the data of the rows at the given positions, of a series or a panel."""
        return replace(self, X=self.X.iloc[rows], y=None if self.y is None else self.y.iloc[rows])


class Task(ABC):
    """Defines how one kind of problem is modelled, evaluated and plotted.

    A plug-in offers a subclass through ``seqpipe_tasks``. A task keeps no state between calls: settings of a model are
    read from the given estimator, which may be inside a Pipeline or a search; `with_settings` is for settings that the
    estimator does not have.
    """

    #: Whether targets are required, other than for a series.
    needs_target: ClassVar[bool] = True

    #: Kind of the target columns: "labels" and "texts" are read as written, "numbers" as numbers, a "series" is
    #: what is forecast. With None it is inferred from the column.
    target_type: ClassVar[TargetType] = None

    #: Whether the column of sequences holds texts.
    reads_texts: ClassVar[bool] = False

    #: Name of the baseline that predicts a constant, and the metrics in which a model must be better than it in at
    #: least one: those that no guessing improves. A run says so if the model is not.
    constant_baseline: ClassVar[str | None] = None
    constant_metrics: ClassVar[tuple[str, ...]] = ()

    #: Whether by default the model is fitted again to all samples after its evaluation.
    refits: ClassVar[bool] = False

    @abstractmethod
    def from_table(self, frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool = True) -> TaskData:
        """Turn a table into data; for prediction without target.

        Raises
        ------
        InvalidSequencesError
            If the table is invalid; the message names the position.
        """

    def with_settings(self, params: Mapping[str, Any]) -> tuple[Task, dict[str, Any]]:
        """Return the task configured by those of ``params`` that belong to it, and the others, for the estimator.

        Raises
        ------
        ValueError
            If a setting is invalid.
        """
        return self, dict(params)

    @abstractmethod
    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return the unfitted estimator with ``params``, by their names under ``task:`` in a recipe."""

    @abstractmethod
    def split(self, estimator: Any, data: TaskData, *, test_size: float | int, seed: int) -> tuple[TaskData, TaskData]:
        """Return the training data and the held-out data, a fraction of the samples or a number of them."""

    @abstractmethod
    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> Any:
        """Return a cross-validation splitter that is valid for this kind of data."""

    @abstractmethod
    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return the scores of a fitted estimator on held-out data, by name."""

    @abstractmethod
    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of baseline models by name, computed as those of the fitted estimator."""

    @abstractmethod
    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return figures of the fitted estimator on held-out data, by file name without suffix."""

    def epoch_pictures(self, estimator: Any, test: TaskData) -> dict[str, Figure]:
        """Return figures of the estimator in training on held-out data, by name; none by default.

        A recipe may ask for them after epochs of the refit of a search, or of the fit without a search. The estimator, which
        may be in a Pipeline, then predicts with the weights of the epoch. Names have letters of ASCII, digits, spaces and any
        of ``_-./``.
        """
        return {}

    @abstractmethod
    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return predictions as a table with one row per sample (or forecast step)."""

    def texts(self, estimator: Any) -> dict[str, str]:
        """Return texts generated by the fitted estimator, to be shown and recorded, by file name without suffix."""
        return {}

    def future(self, data: TaskData, n_steps: int) -> TaskData:
        """Return the data of the ``n_steps`` after the end of a series, for `predictions`; for series only."""
        raise InvalidSequencesError(f"{data.name!r} is not a series: give a table to predict for.")

    def scorer(self, name: str | None) -> str | Callable[..., float] | None:
        """Return a value of ``scoring`` for GridSearchCV by its name in a recipe; the scikit-learn name by default."""
        return name

    def scoring_fault(self, name: str | None, data: TaskData) -> str | None:
        """Return why a score that `scorer` accepts does not apply to the targets of ``data``; None if it does."""
        return None

    def rows(self, values: Any) -> Any:
        """Return targets or predictions with one row per value that is scored, for the metrics of plug-ins."""
        return values

    def parameter(self, name: str) -> str:
        """Return the estimator's name of a parameter under ``task:`` or ``search:``; the same by default."""
        return name
