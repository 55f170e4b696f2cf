"""Classification of time steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.diagnostics import plot_confusion_matrix
from seqpipe.estimators import StepClassifier
from seqpipe.tables import TargetType
from seqpipe.tasks._label_baselines import label_baselines, quiet_baselines
from seqpipe.tasks._label_frame import label_frame
from seqpipe.tasks._learning import learning_curves
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._scores import indicator_scores, label_scores
from seqpipe.tasks._steps import ComparedStepTask, known_steps, step_rows
from seqpipe.tasks._targets import labels_of
from seqpipe.tasks._task import TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["StepClassifyTask"]


class StepClassifyTask(ComparedStepTask):
    """Predict one label per time step, or any number of them if there are several target columns of 0 and 1."""

    target_type: ClassVar[TargetType] = "labels"
    constant_baseline: ClassVar[str | None] = "most frequent class"
    constant_metrics: ClassVar[tuple[str, ...]] = ("accuracy", "log_loss", "f1_micro")
    step_scores: ClassVar[Mapping[str, tuple[str, int]]] = {
        "accuracy": ("accuracy", 1),
        "balanced_accuracy": ("balanced_accuracy", 1),
        "f1_macro": ("f1_macro", 1),
        "f1_micro": ("f1_micro", 1),
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
        """Return accuracy, balanced_accuracy, f1_macro and log_loss over all steps with a label; of several labels f1.

        Classes not seen during fit count as errors, with a `DataWarning` that names them. With several labels,
        accuracy is the fraction of steps whose labels are all correct; f1_macro averages over labels, and f1_micro counts
        all of them together.
        """
        truth, predicted, probabilities = known_steps(
            _labels(data.y), _labels(estimator.predict(data.X)), step_rows(estimator.predict_proba(data.X))
        )
        if truth.ndim == 2:
            return indicator_scores(truth, predicted)
        return label_scores(truth, predicted, estimator.classes_, probabilities)

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of predicting the most frequent class, and of logistic regression on single steps."""
        with quiet_baselines():
            return super().baselines(estimator, train, test)

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the confusion matrix of the held-out steps, unless there are several labels, and the learning curves."""
        return _confusion(estimator, test) | learning_curves(estimator, last_step(estimator).history_, test)

    def epoch_pictures(self, estimator: Any, test: TaskData) -> dict[str, Figure]:
        """Return the confusion matrix of the held-out steps, unless there are several labels."""
        return _confusion(estimator, test)

    def _models(self, y: NDArray[Any]) -> dict[str, BaseEstimator]:
        return label_baselines(y)

    def _of_rows(self, model: Any, data: TaskData) -> dict[str, float]:
        if data.y.ndim == 2:
            return indicator_scores(data.y, model.predict(data.X))
        return label_scores(data.y, model.predict(data.X), model.classes_, model.predict_proba(data.X))

    def prediction_columns(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return the prediction and the probability of each class, or of each of several labels."""
        predicted, probabilities = _labels(estimator.predict(data.X)), step_rows(estimator.predict_proba(data.X))
        return label_frame(predicted, probabilities, estimator.classes_, data.roles.target)

    def read_targets(self, targets: pd.DataFrame, name: str) -> NDArray[np.generic]:
        """Return labels, or indicators of several labels, from the target columns."""
        return labels_of(targets, name, for_numbers="step_regress")


def _confusion(estimator: Any, test: TaskData) -> dict[str, Figure]:
    truth, predicted = known_steps(_labels(test.y), _labels(estimator.predict(test.X)))
    return {} if truth.ndim == 2 else {"confusion_matrix": plot_confusion_matrix(truth, predicted)}


def _labels(values: Any) -> NDArray[Any]:
    """Return the labels of all time steps, shape (total_steps,), or indicators of shape (total_steps, n_labels)."""
    rows = step_rows(values)
    return rows.ravel() if rows.ndim == 2 and rows.shape[1] == 1 else rows
