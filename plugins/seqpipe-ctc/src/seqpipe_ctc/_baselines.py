"""The constant baseline."""

from __future__ import annotations

from collections import Counter
from typing import Any, Self

from sklearn.base import BaseEstimator

from seqpipe_ctc._labels import label_sequences

__all__ = ["MostFrequentSequence"]


class MostFrequentSequence(BaseEstimator):
    """Predict the most frequent label sequence of the training data, of equally frequent ones the first."""

    def fit(self, X: Any, y: Any) -> Self:
        """Count the label sequences y."""
        sequences = label_sequences(y)
        counts = Counter(map(tuple, sequences))
        self.sequence_ = max(sequences, key=lambda each: counts[tuple(each)])
        return self

    def predict(self, X: Any) -> list[Any]:
        """Return the same label sequence for each sample."""
        return [self.sequence_] * len(X)
