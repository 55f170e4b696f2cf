"""Base class of tasks that generate one text per sample."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import KFold, train_test_split

from seqpipe.estimators import text_scores
from seqpipe.exceptions import InvalidSequencesError, UnknownNameError, did_you_mean
from seqpipe.tables import Roles, TargetType, check_roles, targets_of
from seqpipe.tasks._learning import learning_curves
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._task import Task, TaskData
from seqpipe.tasks._texts import texts_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["NamedSamples", "WritingTask"]

#: Scores that a recipe may search by, and whether greater is better.
_SCORES = {"exact_match": 1, "token_accuracy": 1, "edit_distance": -1}


@dataclass(frozen=True)
class NamedSamples(TaskData):
    """Samples with the ids of the table.

    Attributes
    ----------
    ids : array of shape (n_samples,), or None
        The ids; None if there are none.
    """

    ids: NDArray[Any] | None = None


class WritingTask(Task):
    """A task with one text per sample: a row of the table is a sample, one target column holds the texts."""

    target_type: ClassVar[TargetType] = "texts"
    constant_baseline: ClassVar[str | None] = "most frequent text"
    constant_metrics: ClassVar[tuple[str, ...]] = ("exact_match", "token_accuracy", "edit_distance")
    _name: str

    @abstractmethod
    def _new_estimator(self) -> BaseEstimator:
        """Return the estimator with default parameters."""

    @abstractmethod
    def _inputs(self, frame: pd.DataFrame, roles: Roles, *, name: str) -> NDArray[Any]:
        """Return X from a table, one row per sample."""

    def from_table(self, frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool = True) -> TaskData:
        """Turn a table with one row per sample into inputs and texts.

        Parameters
        ----------
        frame : DataFrame of shape (n_samples, n_columns)
            The table.
        roles : Roles
            Roles of its columns; an id only names the sample.
        name : str
            Name of the data in errors and reports.
        with_target : bool, default=True
            False for prediction: the target column may be absent.

        Raises
        ------
        InvalidSequencesError
            If a column is missing, or a value is invalid; the message names the position.
        """
        check_roles(frame, roles, name=name, with_target=with_target)
        X = self._inputs(frame, roles, name=name)
        ids = None if roles.id is None else frame[roles.id].to_numpy()
        y = self._targets(frame, roles, name=name) if with_target else None
        return NamedSamples(X, y, name, roles, ids)

    def _targets(self, frame: pd.DataFrame, roles: Roles, *, name: str) -> NDArray[Any]:
        columns = targets_of(frame, replace(roles, id=None), name=name).columns
        if len(columns) != 1:
            raise InvalidSequencesError(
                f"The task {self._name!r} needs one target column. Got {list(columns)} for {name!r}: choose one."
            )
        return texts_of(frame, columns[0], name=name)

    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return the estimator of the task with ``params``.

        Raises
        ------
        UnknownNameError
            If the estimator has no such parameter.
        """
        return configured(self._new_estimator(), params, task=self._name)

    def split(self, estimator: Any, data: TaskData, *, test_size: float | int, seed: int) -> tuple[TaskData, TaskData]:
        """Hold out a shuffled fraction of the samples, or a number of them."""
        places = train_test_split(np.arange(len(data.X)), test_size=test_size, random_state=seed)
        train, test = (_taken(data, chosen) for chosen in places)
        return train, test

    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> KFold:
        """Return shuffled folds."""
        return KFold(n_splits, shuffle=True, random_state=seed)

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return exact_match, token_accuracy and edit_distance, in tokens per text."""
        return text_scores(data.y, estimator.predict(data.X), **_compared(estimator))

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of predicting the most frequent text, and of further rules of the task."""
        guesses = {"most frequent text": [_most_frequent(train.y)] * len(test.y), **self._guesses(train, test)}
        return {name: text_scores(test.y, texts, **_compared(estimator)) for name, texts in guesses.items()}

    @abstractmethod
    def _guesses(self, train: TaskData, test: TaskData) -> dict[str, Any]:
        """Return texts for the held-out samples by simple rules, by the name of the rule."""

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the learning curves."""
        return learning_curves(estimator, last_step(estimator).history_, test)

    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return one row per sample: its ``id``, or its number from 0, and the predicted text."""
        ids = getattr(data, "ids", None)
        texts = estimator.predict(data.X)
        return pd.DataFrame({"id": np.arange(len(texts)) if ids is None else ids, "prediction": texts})

    def scorer(self, name: str | None) -> Callable[..., float] | None:
        """Return a scorer for one of the metrics; by default the estimator's score, exact match, is used.

        Raises
        ------
        UnknownNameError
            If there is no such metric.
        """
        if name is None:
            return None
        if name not in _SCORES:
            raise UnknownNameError(
                f"There is no score {name!r}.{did_you_mean(name, _SCORES)} There are {', '.join(sorted(_SCORES))}."
            )
        return partial(_scored, name)


def _scored(name: str, estimator: Any, X: Any, y: Any) -> float:
    """Return a metric as a score; greater is better."""
    return _SCORES[name] * text_scores(y, estimator.predict(X), **_compared(estimator))[name]


def _compared(estimator: Any) -> dict[str, Any]:
    """Return the options for comparing texts of a fitted estimator: by its tokens of y."""
    model = last_step(estimator)
    return {"level": getattr(model, "target_level", None) or model.level, "normalize": model.normalize}


def _taken(data: TaskData, chosen: NDArray[np.int64]) -> TaskData:
    ids = getattr(data, "ids", None)
    return NamedSamples(
        data.X[chosen], data.y[chosen], data.name, data.roles, None if ids is None else np.asarray(ids)[chosen]
    )


def _most_frequent(texts: NDArray[Any]) -> Any:
    keys = [text if isinstance(text, str) else tuple(text) for text in texts]
    key, _ = Counter(keys).most_common(1)[0]
    return texts[keys.index(key)]
