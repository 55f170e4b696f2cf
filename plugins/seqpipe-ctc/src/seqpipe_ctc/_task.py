"""The task `ctc`: label sequences without alignment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tasks import SampleTask, TaskData, configured
from seqpipe_ctc._baselines import MostFrequentSequence
from seqpipe_ctc._labels import label_sequences
from seqpipe_ctc._recognizer import CTCRecognizer
from seqpipe_ctc._scores import label_error_rate, sequence_accuracy

__all__ = ["CTCTask"]


class CTCTask(SampleTask):
    """Predict a sequence of labels per sequence; in a table the target is a column of strings, or of lists."""

    target_type = "texts"
    constant_baseline: ClassVar[str | None] = "most frequent sequence"
    constant_metrics: ClassVar[tuple[str, ...]] = ("label_error_rate",)

    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return a `CTCRecognizer` with ``params``."""
        return configured(CTCRecognizer(), params, task="ctc")

    def read_targets(self, targets: pd.DataFrame, name: str) -> NDArray[np.object_]:
        """Return the label sequences of the target column, shape (n_samples,)."""
        if targets.shape[1] != 1:
            raise InvalidSequencesError(
                f"{name!r} must have one target column for the task 'ctc', of strings or of lists. "
                f"Got {targets.shape[1]} instead: name one."
            )
        y = np.empty(len(targets), dtype=object)
        y[:] = label_sequences(targets.iloc[:, 0])
        return y

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return the label error rate and the sequence accuracy."""
        y, predicted = label_sequences(data.y), estimator.predict(data.X)
        return {
            "label_error_rate": label_error_rate(y, predicted),
            "sequence_accuracy": sequence_accuracy(y, predicted),
        }

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of the most frequent label sequence."""
        return {"most frequent sequence": self.metrics(MostFrequentSequence().fit(train.X, train.y), test)}

    def prediction_columns(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return the predicted labels, a string or a list per sequence."""
        return pd.DataFrame({"prediction": estimator.predict(data.X)})
