"""Classification of sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, KFold, StratifiedKFold

from seqpipe.diagnostics import plot_confusion_matrix
from seqpipe.estimators import SequenceClassifier
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import TargetType
from seqpipe.tasks._label_baselines import label_baselines
from seqpipe.tasks._label_frame import label_frame
from seqpipe.tasks._learning import learning_curves
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._samples import SampleTask
from seqpipe.tasks._scores import indicator_scores, label_scores
from seqpipe.tasks._tabular_baselines import tabular_baselines
from seqpipe.tasks._targets import labels_of
from seqpipe.tasks._task import TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["ClassifyTask"]

_AVERAGED = [
    f"{kind}_{mean}" for kind in ("f1", "jaccard", "precision", "recall") for mean in ("macro", "micro", "samples")
]
#: Scores of scikit-learn that apply to several labels.
_OF_SEVERAL = ("accuracy", *_AVERAGED, "average_precision", "roc_auc")


class ClassifyTask(SampleTask):
    """Predict one label per sequence, or any number of them if there are several target columns of 0 and 1."""

    target_type: ClassVar[TargetType] = "labels"
    constant_baseline: ClassVar[str | None] = "most frequent class"
    constant_metrics: ClassVar[tuple[str, ...]] = ("accuracy", "log_loss", "f1_micro")
    error_scores: ClassVar[Mapping[str, str]] = {"log_loss": "neg_log_loss"}

    metric_modules: ClassVar[tuple[str, ...]] = ("classification", "ranking")
    advised_scores: ClassVar[tuple[str, ...]] = ("accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc_ovr")

    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return a `SequenceClassifier` with ``params``.

        Raises
        ------
        UnknownNameError
            If the estimator has no such parameter.
        """
        return configured(SequenceClassifier(), params, task="classify")

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return accuracy, balanced_accuracy, f1_macro and log_loss; of several labels accuracy and f1.

        Classes not seen during fit count as errors, with a `DataWarning` that names them. With several labels,
        accuracy is the fraction of sequences whose labels are all correct; f1_macro averages over labels, and f1_micro
        counts all of them together.
        """
        if data.y.ndim == 2:
            return indicator_scores(data.y, estimator.predict(data.X))
        probabilities = estimator.predict_proba(data.X)
        return label_scores(data.y, estimator.predict(data.X), estimator.classes_, probabilities)

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of predicting the most frequent class, and of logistic regression on the steps."""
        return tabular_baselines(self, label_baselines(train.y), train, test)

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the confusion matrix of the held-out data, unless there are several labels, and the learning curves."""
        return _confusion(estimator, test) | learning_curves(estimator, last_step(estimator).history_, test)

    def epoch_pictures(self, estimator: Any, test: TaskData) -> dict[str, Figure]:
        """Return the confusion matrix of the held-out data, unless there are several labels."""
        return _confusion(estimator, test)

    def scoring_fault(self, name: str | None, data: TaskData) -> str | None:
        """Return why a score is not for labels, or does not apply to several; None if it does."""
        if name is not None and data.y.ndim == 2 and name not in _OF_SEVERAL:
            return f"{name!r} does not apply to several labels. Use one of {', '.join(_OF_SEVERAL)}."
        return super().scoring_fault(name, data)

    def folds(self, data: TaskData, n_splits: int, seed: int) -> BaseCrossValidator:
        """Return folds with equal proportions of the classes; shuffled ones if there are several labels."""
        kind = KFold if data.y.ndim == 2 else StratifiedKFold
        return kind(n_splits, shuffle=True, random_state=seed)

    def prediction_columns(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return the prediction and the probability of each class, or of each of several labels."""
        predicted, probabilities = estimator.predict(data.X), estimator.predict_proba(data.X)
        return label_frame(predicted, probabilities, estimator.classes_, data.roles.target)

    def read_targets(self, targets: pd.DataFrame, name: str) -> NDArray[Any]:
        """Return labels, or indicators of several labels, from the target columns."""
        return labels_of(targets, name, for_numbers="regress")

    def strata(self, data: TaskData) -> NDArray[Any] | None:
        """Return the class of each sample."""
        if data.y.ndim == 2:
            return None
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


def _confusion(estimator: Any, test: TaskData) -> dict[str, Figure]:
    if test.y.ndim == 2:
        return {}
    return {"confusion_matrix": plot_confusion_matrix(test.y, estimator.predict(test.X))}
