"""Record of held-out scores: which of them decides between models, and MLflow's report."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from seqpipe.exceptions import TrackingError, TrackingWarning, UnknownNameError
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.pipeline._remark import smaller_is_better
from seqpipe.pipeline._result import RunResult
from seqpipe.plugins import host
from seqpipe.specs import MetricSpec
from seqpipe.tasks import TaskData
from seqpipe.tracking import MLflowTracker

if TYPE_CHECKING:
    from seqpipe.pipeline._job import Job

__all__ = ["check_report", "log_held_out", "primary_score"]

#: Tasks with one label or number per sample, for which MLflow has reports.
_REPORTED = ("classify", "regress")


def check_report(loaded: LoadedRecipe, data: TaskData) -> None:
    """Raise `RecipeError` if the recipe asks for a report that MLflow does not have, or that has no run to be logged to."""
    if not loaded.recipe.evaluate.report:
        return
    name = loaded.recipe.task.name
    if name not in _REPORTED or np.ndim(data.y) != 1:
        several = " with several targets" if name in _REPORTED else ""
        raise loaded.error(
            ("evaluate", "report"),
            f"MLflow has no report for the task {name!r}{several}, only for {' and '.join(_REPORTED)} with one target per "
            "sequence: remove this field. The scores and pictures of the task are recorded without it.",
        )
    if not loaded.recipe.tracking.enabled:
        raise loaded.error(("evaluate", "report"), "the report is logged to the run: set 'tracking.enabled' to true.")


def log_held_out(job: Job, result: RunResult, tracker: MLflowTracker) -> None:
    """Log the scores on the held-out data, and the report if the recipe asks for it."""
    score = getattr(result.estimator, "score", None)  # a plug-in's estimator may have none
    own = {} if score is None else {"score": score(job.test.X, job.test.y)}
    metrics = {**result.metrics, **own}
    primary, greater_is_better = primary_score(job, metrics)
    tracker.log_held_out(metrics, job.test.X, job.test.y, primary=primary, greater_is_better=greater_is_better)
    if job.loaded.recipe.evaluate.report:
        try:
            tracker.log_report(result.estimator, job.test.X, job.test.y)
        except TrackingError as error:
            warnings.warn(f"The report was not logged. {error}", TrackingWarning, stacklevel=2)


def primary_score(job: Job, metrics: Mapping[str, float]) -> tuple[str | None, bool]:
    """Return the score that decides between models, None if there is none, and whether greater is better.

    It is the one that the search ranks candidates by, else the score of the estimator.
    """
    search = job.loaded.recipe.search
    scoring = "" if search is None else search.scoring or ""
    written: dict[str, str] = {scorer: name for name, scorer in getattr(job.task, "error_scores", {}).items()}
    for name in (scoring, written.get(scoring, ""), "score", *metrics):
        if name in metrics and (greater := _greater_is_better(name)) is not None:
            return name, greater
    return None, True


def _greater_is_better(name: str) -> bool | None:
    """Return whether greater is better, by the plug-in that offers the score, or by its name; None if neither says so."""
    try:
        found = host().find("metric", name, parameter="The score").spec
    except UnknownNameError:
        smaller = smaller_is_better(name)
        return None if smaller is None else not smaller
    return found.greater_is_better if isinstance(found, MetricSpec) else None
