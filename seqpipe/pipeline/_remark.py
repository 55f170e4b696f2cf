"""What a run says about scores that are no better than those of a constant prediction."""

from __future__ import annotations

import re
from collections.abc import Mapping

from seqpipe.exceptions import BaselineWarning
from seqpipe.tasks import Task

__all__ = ["constant_remark", "smaller_is_better"]

#: Words in the names of scores that determine whether greater is better.
_SMALLER = {"bits", "distance", "error", "loss", "mae", "mape", "mase", "mse", "perplexity", "rmse", "smape"}
_GREATER = {"accuracy", "auc", "bleu", "f1", "match", "precision", "r2", "recall", "score"}


def smaller_is_better(name: str) -> bool | None:
    """Return whether a score is an error; None if its name does not determine it."""
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    if words & _SMALLER:
        return "neg" not in words
    return False if words & _GREATER else None


def constant_remark(
    task: Task, metrics: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]
) -> str | None:
    """Return that a model is not better than a constant prediction, and what to try; None if it is better.

    Parameters
    ----------
    task : Task
        Names the constant prediction, and the metrics that decide.
    metrics : mapping of str to float
        Held-out scores of the model.
    baselines : mapping of str to mapping of str to float
        The same scores for each baseline.
    """
    constant = baselines.get(task.constant_baseline or "", {})
    names = [name for name in task.constant_metrics if name in metrics and name in constant]
    if not names or any(_is_better(name, metrics[name], constant[name]) for name in names):
        return None
    scores = ", ".join(f"{name} {metrics[name]:.4g} against {constant[name]:.4g}" for name in names)
    return (
        f"The model is not better than a constant prediction, {task.constant_baseline!r}: {scores}. "
        f"{BaselineWarning.advice()}"
    )


def _is_better(name: str, score: float, constant: float) -> bool:
    return score < constant if smaller_is_better(name) else score > constant
