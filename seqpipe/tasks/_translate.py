"""Translation of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from numpy.typing import NDArray

from seqpipe.diagnostics import plot_attention
from seqpipe.estimators import SequenceTranslator
from seqpipe.tables import Roles
from seqpipe.tasks._parameters import last_step
from seqpipe.tasks._task import TaskData
from seqpipe.tasks._texts import source_texts
from seqpipe.tasks._writing import WritingTask

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["TranslateTask"]

#: Number of held-out samples whose attention is plotted.
_SHOWN = 3


class TranslateTask(WritingTask):
    """Predict one text per text with a `SequenceTranslator`: the sequence column holds the source texts."""

    reads_texts: ClassVar[bool] = True
    _name = "translate"

    def _new_estimator(self) -> BaseEstimator:
        return SequenceTranslator()

    def _inputs(self, frame: pd.DataFrame, roles: Roles, *, name: str) -> NDArray[Any]:
        return source_texts(frame, roles, name=name)

    def _guesses(self, train: TaskData, test: TaskData) -> dict[str, Any]:
        return {"the text itself": test.X}

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the learning curves, and the attention weights of three held-out samples."""
        return {**super().pictures(estimator, train, test), **_attention(last_step(estimator), test.X[:_SHOWN])}


def _attention(translator: SequenceTranslator, X: Any) -> dict[str, Figure]:
    if translator.attention is None:
        return {}
    source = [translator.source_vocabulary_.split(text) for text in X]
    output = [translator.target_vocabulary_.split(text) for text in translator.predict(X)]
    weights = translator.attention_weights(X)
    return {
        f"attention_{i}": plot_attention(*drawn)
        for i, drawn in enumerate(zip(weights, source, output), start=1)
        if drawn[0].size
    }
