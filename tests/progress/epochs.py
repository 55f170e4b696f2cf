"""An estimator that notifies callbacks of epochs, importable by worker processes without torch and MLflow."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from seqpipe.callbacks import CallbackSupportMixin, with_callbacks


class Epochs(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Learns nothing in three epochs of some seconds; ``fail`` is raised in the second one."""

    def __init__(self, cell: str = "gru", *, seconds: float = 0.0, fail: Exception | None = None) -> None:
        self.cell = cell
        self.seconds = seconds
        self.fail = fail

    @with_callbacks
    def fit(self, X: Any, y: Any) -> Epochs:
        context = self._init_callback_context(max_subtasks=3)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        for epoch in range(1, 4):
            task = context.subcontext(task_name="epoch").call_on_fit_task_begin(estimator=self)
            time.sleep(self.seconds)
            if self.fail is not None and epoch == 2:
                context.call_on_fit_task_end(estimator=self, metadata={"error": str(self.fail)})
                raise self.fail
            task.call_on_fit_task_end(estimator=self, metadata={"epoch": epoch, "train_loss": 1 / epoch})
        self.classes_ = np.unique(y)
        context.call_on_fit_task_end(estimator=self, metadata={"n_parameters": 5})
        return self

    def predict(self, X: Any) -> Any:
        return np.repeat(self.classes_[:1], len(X))
