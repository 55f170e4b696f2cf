"""Classification of time steps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.diagnostics import plot_confusion_matrix, plot_learning_curves
from seqpipe.estimators import StepClassifier
from seqpipe.tables import TargetType
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._scores import label_scores
from seqpipe.tasks._steps import StepTask, known_steps, step_rows
from seqpipe.tasks._targets import labels_of
from seqpipe.tasks._task import TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["StepClassifyTask"]


class StepClassifyTask(StepTask):
    """Predict one label per time step with a `StepClassifier`."""

    target_type: ClassVar[TargetType] = "labels"
    _scores: ClassVar[Mapping[str, tuple[str, int]]] = {
        "accuracy": ("accuracy", 1),
        "balanced_accuracy": ("balanced_accuracy", 1),
        "f1_macro": ("f1_macro", 1),
        "log_loss": ("log_loss", -1),
        "neg_log_loss": ("log_loss", -1),
    }

    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return a `StepClassifier` with ``params``.

        Raises
        ------
        UnknownNameError
            If the estimator has no such parameter.
        """
        return configured(StepClassifier(), params, task="step_classify")

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return accuracy, balanced_accuracy, f1_macro and log_loss over all steps with a label.

        Classes not seen during fit count as errors, with a `DataWarning` that names them.
        """
        predicted, probabilities = (step_rows(f(data.X)) for f in (estimator.predict, estimator.predict_proba))
        truth, predicted, probabilities = known_steps(step_rows(data.y).ravel(), predicted.ravel(), probabilities)
        return label_scores(truth, predicted, estimator.classes_, probabilities)

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of predicting the most frequent class, and of logistic regression on single steps."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # baselines need not converge fully
            return super().baselines(estimator, train, test)

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the confusion matrix of the held-out steps, and the learning curves."""
        truth, predicted = known_steps(step_rows(test.y).ravel(), step_rows(estimator.predict(test.X)).ravel())
        return {
            "confusion_matrix": plot_confusion_matrix(truth, predicted),
            "learning_curves": plot_learning_curves({"model": last_step(estimator).history_}),
        }

    def _models(self) -> dict[str, BaseEstimator]:
        return {
            "most frequent class": DummyClassifier(strategy="prior"),
            "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        }

    def _of_rows(self, model: Any, data: TaskData) -> dict[str, float]:
        return label_scores(data.y, model.predict(data.X), model.classes_, model.predict_proba(data.X))

    def _predicted(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        probabilities = step_rows(estimator.predict_proba(data.X))
        frame = pd.DataFrame(probabilities, columns=[f"p_{label}" for label in estimator.classes_])
        frame.insert(0, "prediction", step_rows(estimator.predict(data.X)).ravel())
        return frame

    def _target(self, targets: pd.DataFrame, name: str) -> NDArray[np.generic]:
        return labels_of(targets, name, for_numbers="step_regress")
