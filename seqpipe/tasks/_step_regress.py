"""Regression of time steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.diagnostics import plot_truth_against_prediction
from seqpipe.estimators import StepRegressor
from seqpipe.tables import TargetType
from seqpipe.tasks._learning import learning_curves
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._scores import number_scores
from seqpipe.tasks._steps import ComparedStepTask, known_steps, step_rows
from seqpipe.tasks._targets import numbers_of
from seqpipe.tasks._task import TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["StepRegressTask"]


class StepRegressTask(ComparedStepTask):
    """Predict one number per time step and target column with a `StepRegressor`."""

    target_type: ClassVar[TargetType] = "numbers"
    constant_baseline: ClassVar[str | None] = "mean"
    constant_metrics: ClassVar[tuple[str, ...]] = ("rmse",)
    step_scores: ClassVar[Mapping[str, tuple[str, int]]] = {
        "mae": ("mae", -1),
        "neg_mean_absolute_error": ("mae", -1),
        "neg_root_mean_squared_error": ("rmse", -1),
        "r2": ("r2", 1),
        "rmse": ("rmse", -1),
    }

    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return a `StepRegressor` with ``params``.

        Raises
        ------
        UnknownNameError
            If the estimator has no such parameter.
        """
        return configured(StepRegressor(), params, task="step_regress")

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return r2, mae and rmse over all steps with a target, averaged over outputs if there are several."""
        return number_scores(*known_steps(step_rows(data.y), step_rows(estimator.predict(data.X))))

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return a plot of predicted against true values at the held-out steps, and the learning curves."""
        return _comparison(estimator, test) | learning_curves(estimator, last_step(estimator).history_, test)

    def epoch_pictures(self, estimator: Any, test: TaskData) -> dict[str, Figure]:
        """Return a plot of predicted against true values at the held-out steps."""
        return _comparison(estimator, test)

    def _models(self, y: NDArray[Any]) -> dict[str, BaseEstimator]:
        return {"mean": DummyRegressor(), "ridge regression": make_pipeline(StandardScaler(), Ridge())}

    def _of_rows(self, model: Any, data: TaskData) -> dict[str, float]:
        return number_scores(data.y, model.predict(data.X))

    def read_targets(self, targets: pd.DataFrame, name: str) -> NDArray[np.float64]:
        """Return numbers from the target columns."""
        values = numbers_of(targets, name, for_labels="step_classify", unit="step")
        return values[:, 0] if values.shape[1] == 1 else values


def _comparison(estimator: Any, test: TaskData) -> dict[str, Figure]:
    truth, predicted = known_steps(step_rows(test.y), step_rows(estimator.predict(test.X)))
    names = test.roles.target or None
    return {"truth_against_prediction": plot_truth_against_prediction(truth, predicted, names=names)}
