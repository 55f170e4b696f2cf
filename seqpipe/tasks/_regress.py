"""Regression of sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from numpy.typing import NDArray
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.diagnostics import plot_truth_against_prediction
from seqpipe.estimators import SequenceRegressor
from seqpipe.tables import TargetType
from seqpipe.tasks._learning import learning_curves
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._samples import SampleTask
from seqpipe.tasks._scores import number_scores
from seqpipe.tasks._tabular_baselines import tabular_baselines
from seqpipe.tasks._targets import numbers_of
from seqpipe.tasks._task import TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["RegressTask"]


class RegressTask(SampleTask):
    """Predict one number per sequence and target column with a `SequenceRegressor`."""

    target_type: ClassVar[TargetType] = "numbers"
    constant_baseline: ClassVar[str | None] = "mean"
    constant_metrics: ClassVar[tuple[str, ...]] = ("rmse",)
    error_scores: ClassVar[Mapping[str, str]] = {
        "mae": "neg_mean_absolute_error",
        "rmse": "neg_root_mean_squared_error",
    }

    metric_modules: ClassVar[tuple[str, ...]] = ("regression",)
    advised_scores: ClassVar[tuple[str, ...]] = ("r2", "rmse", "mae")

    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return a `SequenceRegressor` with ``params``.

        Raises
        ------
        UnknownNameError
            If the estimator has no such parameter.
        """
        return configured(SequenceRegressor(), params, task="regress")

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return r2, mae and rmse, averaged over outputs if there are several."""
        return number_scores(data.y, estimator.predict(data.X))

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of predicting the mean, and of ridge regression on the steps."""
        models = {"mean": DummyRegressor(), "ridge regression": make_pipeline(StandardScaler(), Ridge())}
        return tabular_baselines(self, models, train, test)

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return a plot of predicted against true values on the held-out data, and the learning curves."""
        return _comparison(estimator, test) | learning_curves(estimator, last_step(estimator).history_, test)

    def epoch_pictures(self, estimator: Any, test: TaskData) -> dict[str, Figure]:
        """Return a plot of predicted against true values on the held-out data."""
        return _comparison(estimator, test)

    def read_targets(self, targets: pd.DataFrame, name: str) -> NDArray[Any]:
        """Return numbers from the target columns."""
        values = numbers_of(targets, name, for_labels="classify", unit="sequence")
        return values[:, 0] if values.shape[1] == 1 else values


def _comparison(estimator: Any, test: TaskData) -> dict[str, Figure]:
    names = test.roles.target or None
    return {"truth_against_prediction": plot_truth_against_prediction(test.y, estimator.predict(test.X), names=names)}
