"""Classification of sequences."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.diagnostics import plot_confusion_matrix, plot_learning_curves
from seqpipe.estimators import SequenceClassifier
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import TargetType
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._samples import SampleTask
from seqpipe.tasks._scores import label_scores
from seqpipe.tasks._tabular import tabular
from seqpipe.tasks._targets import labels_of
from seqpipe.tasks._task import TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["ClassifyTask"]


class ClassifyTask(SampleTask):
    """Predict one label per sequence with a `SequenceClassifier`."""

    target_type: ClassVar[TargetType] = "labels"
    _errors: ClassVar[Mapping[str, str]] = {"log_loss": "neg_log_loss"}

    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return a `SequenceClassifier` with ``params``.

        Raises
        ------
        UnknownNameError
            If the estimator has no such parameter.
        """
        return configured(SequenceClassifier(), params, task="classify")

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return accuracy, balanced_accuracy, f1_macro and log_loss.

        Classes not seen during fit count as errors, with a `DataWarning` that names them.
        """
        probabilities = estimator.predict_proba(data.X)
        return label_scores(data.y, estimator.predict(data.X), estimator.classes_, probabilities)

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of predicting the most frequent class, and of logistic regression on the steps."""
        X_train, X_test = tabular(train.X, test.X)
        models = {
            "most frequent class": DummyClassifier(strategy="prior"),
            "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # baselines need not converge fully
            return {
                name: self.metrics(model.fit(X_train, train.y), replace(test, X=X_test))
                for name, model in models.items()
            }

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the confusion matrix of the held-out data, and the learning curves."""
        model = last_step(estimator)
        return {
            "confusion_matrix": plot_confusion_matrix(test.y, estimator.predict(test.X)),
            "learning_curves": plot_learning_curves({"model": model.history_}),
        }

    def _folds(self, n_splits: int, seed: int) -> StratifiedKFold:
        return StratifiedKFold(n_splits, shuffle=True, random_state=seed)

    def _predicted(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        probabilities = estimator.predict_proba(data.X)
        columns = [f"p_{label}" for label in estimator.classes_]
        frame = pd.DataFrame(probabilities, columns=columns)
        frame.insert(0, "prediction", estimator.predict(data.X))
        return frame

    def _target(self, targets: pd.DataFrame, name: str) -> NDArray[Any]:
        return labels_of(targets, name, for_numbers="regress")

    def _strata(self, data: TaskData) -> NDArray[Any]:
        labels, counts = np.unique(data.y, return_counts=True)
        if len(labels) == 1:
            raise InvalidSequencesError(
                f"All sequences of {data.name!r} have the label {labels[0].item()!r}, but a classifier needs at least "
                "two: name another target column, or add sequences of another class."
            )
        if counts.min() < 2:
            raise InvalidSequencesError(
                f"The class {labels[counts.argmin()].item()!r} of {data.name!r} has one sequence, which "
                "cannot be both trained on and held out: drop it, or merge it with another class."
            )
        return np.asarray(data.y)
