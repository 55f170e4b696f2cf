"""Baselines on tables of sequences, for tasks with one prediction per sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seqpipe.tasks._label_baselines import quiet_baselines
from seqpipe.tasks._tabular import tabular
from seqpipe.tasks._task import Task, TaskData

__all__ = ["tabular_baselines"]


def tabular_baselines(
    task: Task, models: Mapping[str, Any], train: TaskData, test: TaskData
) -> dict[str, dict[str, float]]:
    """Return the metrics of scikit-learn estimators that are fitted to one row per sequence, see `tabular`.

    Parameters
    ----------
    task : Task
        Its `metrics` score each model.
    models : mapping of str to estimator
        Unfitted models by name.
    train, test : TaskData
        The training data and the held-out data.
    """
    X_train, X_test = tabular(train.X, test.X)
    with quiet_baselines():
        return {
            name: task.metrics(model.fit(X_train, train.y), replace(test, X=X_test)) for name, model in models.items()
        }
