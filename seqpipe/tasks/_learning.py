"""The picture of how a model learned, which all tasks with a network share."""

from __future__ import annotations

import math
import warnings
from typing import Any

from matplotlib.figure import Figure
from sklearn.exceptions import UndefinedMetricWarning

from seqpipe.diagnostics import plot_learning_curves
from seqpipe.tasks._task import TaskData

__all__ = ["learning_curves"]


def learning_curves(estimator: Any, history: list[dict[str, Any]], test: TaskData) -> dict[str, Figure]:
    """Return the losses of a fitted estimator over its epochs, with its score on held-out data if that is defined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        score = float(estimator.score(test.X, test.y))
    scores = {"model": score} if math.isfinite(score) else {}
    return {"learning_curves": plot_learning_curves({"model": history}, held_out=scores)}
