"""Base class of tasks in which every sequence is a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import BaseCrossValidator, KFold, train_test_split

from seqpipe.exceptions import InvalidSequencesError, UnknownNameError, did_you_mean
from seqpipe.sequences import Sequences, Windows, as_sequences
from seqpipe.tables import Roles, check_roles, runs_of, targets_of
from seqpipe.tasks._task import Task, TaskData
from seqpipe.tasks._texts import source_texts
from seqpipe.transformers import WindowSplit, is_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SampleTask", "sequences_of"]


class SampleTask(Task):
    """A task with one prediction per sequence: a subclass defines `estimator` and `metrics`, and overrides the rest if needed.

    A table may have one of three layouts: long, with an ``id`` column and one row per step; with a
    ``sequence`` column of lists or texts, one row per sequence; or with neither, where each row is a sequence whose
    features are its steps.

    Examples
    --------
    >>> from seqpipe import SequenceClassifier
    >>> from seqpipe.tasks import SampleTask
    >>> class Screen(SampleTask):
    ...     target_type = "labels"
    ...     def estimator(self, params):
    ...         return SequenceClassifier(**params)
    ...     def metrics(self, estimator, data):
    ...         return {"missed": float((estimator.predict(data.X)[data.y == "ill"] != "ill").mean())}
    """

    #: Names of scores that are errors, with the names by which scikit-learn negates them.
    error_scores: ClassVar[Mapping[str, str]] = {}
    #: Modules of ``sklearn.metrics`` whose scores apply to the targets, and scores to name in errors; empty for any.
    metric_modules: ClassVar[tuple[str, ...]] = ()
    advised_scores: ClassVar[tuple[str, ...]] = ()

    def from_table(self, frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool = True) -> TaskData:
        """Turn a table into sequences, with ids if there are any, and their targets.

        Parameters
        ----------
        frame : DataFrame of shape (n_rows, n_columns)
            The table.
        roles : Roles
            Roles of its columns; without features, every numeric column that has no other role is one.
        name : str
            Name of the data in errors and reports.
        with_target : bool, default=True
            False for prediction: the target columns may be absent.

        Raises
        ------
        InvalidSequencesError
            If a column is missing, a value is invalid, or a target is missing or changes within an id; the
            message names the position.
        """
        with_target = with_target and (self.needs_target or bool(roles.target))
        check_roles(frame, roles, name=name, with_target=with_target)
        texts = roles.sequence is not None and is_texts(frame[roles.sequence])
        X = (source_texts if texts else sequences_of)(frame, roles, name=name)
        y = self.read_targets(targets_of(frame, roles, name=name), name) if with_target else None
        return TaskData(X, y, name, roles)

    def split(self, estimator: Any, data: TaskData, *, test_size: float | int, seed: int) -> tuple[TaskData, TaskData]:
        """Hold out a shuffled fraction of the samples, or a number of them.

        Raises
        ------
        InvalidSequencesError
            If the samples are overlapping windows, which would leak from a shuffled test set into training.
        """
        if isinstance(data.X, Windows):
            raise InvalidSequencesError(
                f"{data.name!r} holds overlapping windows, which leak in a shuffled split: split the "
                "series before make_windows."
            )
        arrays = {name: values for name, values in (("X", data.X), ("y", data.y)) if values is not None}
        parts = train_test_split(*arrays.values(), test_size=test_size, random_state=seed, stratify=self.strata(data))
        train, test = (replace(data, **dict(zip(arrays, parts[i::2]))) for i in (0, 1))
        return train, test

    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> BaseCrossValidator:
        """Return shuffled folds; for overlapping windows a `WindowSplit`, which keeps them apart."""
        return WindowSplit(n_splits) if isinstance(data.X, Windows) else self.folds(data, n_splits, seed)

    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return one row per sequence: its ``id``, or its number from 0, and the prediction."""
        ids = getattr(data.X, "ids", None)
        frame = self.prediction_columns(estimator, data)
        frame.insert(0, "id", np.arange(len(frame)) if ids is None else ids)
        return frame

    def scorer(self, name: str | None) -> str | None:
        """Return the scikit-learn name of a score; errors such as ``rmse`` are negated there.

        Raises
        ------
        UnknownNameError
            If scikit-learn has no such score.
        """
        found = self.error_scores.get(str(name), name)
        names = sorted({*get_scorer_names(), *self.error_scores})
        if found is not None and found not in names:
            raise UnknownNameError(
                f"There is no score {name!r}.{did_you_mean(name, names)} There are {', '.join(names)}."
            )
        return found

    def scoring_fault(self, name: str | None, data: TaskData) -> str | None:
        """Return why a score is not for the targets, such as one of numbers for labels; None if it is."""
        found = self.scorer(name)
        if (
            found is None
            or not self.metric_modules
            or get_scorer(found)._score_func.__module__.split("._")[-1] in self.metric_modules
        ):
            return None
        return f"{name!r} is not for the targets of this task. Use one of {', '.join(self.advised_scores)}."

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return no baselines."""
        return {}

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return no pictures."""
        return {}

    def read_targets(self, targets: pd.DataFrame, name: str) -> Any:
        """Return y from the target columns (n_samples, n_targets) of the table ``name``: their values, or its column."""
        values = targets.to_numpy()
        return values[:, 0] if values.shape[1] == 1 else values

    def folds(self, data: TaskData, n_splits: int, seed: int) -> BaseCrossValidator:
        """Return the splitter for independent samples: shuffled folds."""
        return KFold(n_splits, shuffle=True, random_state=seed)

    def prediction_columns(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return the columns of the table of predictions, one row per sample: ``prediction``, or one per target."""
        predicted = np.asarray(estimator.predict(data.X))
        if predicted.ndim == 1:
            return pd.DataFrame({"prediction": predicted})
        names = data.roles.target or range(predicted.shape[1])
        return pd.DataFrame(predicted, columns=[f"prediction_{name}" for name in names])

    def strata(self, data: TaskData) -> NDArray[Any] | None:
        """Return the class of each sample, so that training and held-out data have the same proportions; None for none."""
        return None


def sequences_of(frame: pd.DataFrame, roles: Roles, *, name: str) -> Sequences:
    """Return the sequences of a table; raise `InvalidSequencesError` if one has no steps or a value is not finite."""
    found = as_sequences(Sequences(**vars(runs_of(frame, roles, name=name))))
    assert isinstance(found, Sequences)
    return found
