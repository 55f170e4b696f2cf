"""The task `anomaly`: anomalous time steps, found without labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tasks import StepTask, TaskData, configured, step_rows
from seqpipe_anomaly._baselines import LastValueDetector, RunningMeanDetector
from seqpipe_anomaly._forecast_detector import ForecastErrorDetector

__all__ = ["AnomalyTask"]

_TRUE, _FALSE = ("true", "1", "1.0"), ("false", "0", "0.0")


class AnomalyTask(StepTask):
    """Score each time step by the error of its forecast; a target, True at anomalous steps, is for evaluation only."""

    needs_target: ClassVar[bool] = False
    target_type = "texts"  # as written, true or 1
    step_scores: ClassVar[Mapping[str, tuple[str, int]]] = {
        "average_precision": ("average_precision", 1),
        "f1": ("f1", 1),
        "roc_auc": ("roc_auc", 1),
    }

    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return a `ForecastErrorDetector` with ``params``."""
        return configured(ForecastErrorDetector(), params, task="anomaly")

    def read_targets(self, targets: pd.DataFrame, name: str) -> NDArray[np.bool_]:
        """Return whether each step is anomalous, from one column of true and false, or 1 and 0."""
        if targets.shape[1] != 1:
            raise InvalidSequencesError(
                f"{name!r} must have one target column for the task 'anomaly'. Got {targets.shape[1]} instead: name one."
            )
        written = targets.iloc[:, 0].astype(str).str.lower()
        wrong = ~written.isin([*_TRUE, *_FALSE])
        if wrong.any():
            raise InvalidSequencesError(
                f"The target {targets.columns[0]!r} of {name!r} must be true or 1 at anomalous steps, and false or 0 at "
                f"others. It is {targets.iloc[:, 0][wrong].iloc[0]!r} at row {wrong.idxmax()}."
            )
        return written.isin(_TRUE).to_numpy()

    def strata(self, data: TaskData) -> NDArray[np.bool_] | None:
        """Return which sequences have anomalies, if there are several of either kind."""
        if data.y is None:
            return None
        anomalous = np.array([bool(np.any(each)) for each in data.y])
        return anomalous if min(anomalous.sum(), (~anomalous).sum()) > 1 else None

    def scoring_fault(self, name: str | None, data: TaskData) -> str | None:
        """Return that a score needs targets, if there are none."""
        if name is None or data.y is not None:
            return None
        return f"{name!r} needs a target, true at anomalous steps. Name its column, or leave out 'scoring'."

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return average_precision, roc_auc and f1 over all steps; without targets, quantiles of the distances.

        The metrics are NaN if all steps are anomalous, or none is.
        """
        distances, flagged = -_rows(estimator.score_samples(data.X)), _rows(estimator.predict(data.X)) < 0
        if data.y is None:
            quantiles = {f"anomaly_q{q}": float(np.percentile(distances, q)) for q in (50, 90, 99)}
            return quantiles | {"flagged": float(flagged.mean())}
        truth = step_rows(data.y).ravel().astype(bool)
        if truth.all() or not truth.any():
            return dict.fromkeys(("average_precision", "roc_auc", "f1"), float("nan"))
        return {
            "average_precision": float(average_precision_score(truth, distances)),
            "roc_auc": float(roc_auc_score(truth, distances)),
            "f1": float(f1_score(truth, flagged)),
        }

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of the distance from the running mean, and of the difference from the last value."""
        models = {"running mean": RunningMeanDetector(), "last value": LastValueDetector()}
        return {name: self.metrics(model.fit(train.X), test) for name, model in models.items()}

    def prediction_columns(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return the prediction, -1 at anomalies and otherwise 1, and the score of each step."""
        prediction, score = _rows(estimator.predict(data.X)), _rows(estimator.score_samples(data.X))
        return pd.DataFrame({"prediction": prediction, "score": score})


def _rows(values: Any) -> NDArray[Any]:
    """Return one value per step of all sequences, shape (total_steps,)."""
    return step_rows(values).ravel()
