"""Record of a run's results: scores, tables, pictures and the model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seqpipe.exceptions import TrackingError, TrackingWarning
from seqpipe.pipeline._held_out import log_held_out
from seqpipe.pipeline._job import Job
from seqpipe.pipeline._report import scores_table
from seqpipe.pipeline._result import Record, RunResult
from seqpipe.tracking import MLflowTracker, interface_links, redacted_uri

__all__ = ["recorded"]


def recorded(job: Job, result: RunResult, tracker: MLflowTracker) -> RunResult:
    """Log scores, tables, pictures and the model to the run that the fit started."""
    log_held_out(job, result, tracker)
    for name, metrics in result.baselines.items():
        tracker.log_baseline(name, metrics)
    tracker.log_text(redacted_uri(job.loaded.text), "recipe.yaml")
    tracker.log_table(scores_table(result).reset_index(names="score"), "held_out.csv")
    if len(result.table):
        tracker.log_table(result.table, "candidates.csv")
    for name, text in result.texts.items():
        tracker.log_text(text, f"{name}.txt")
    for name, figure in result.pictures.items():
        tracker.log_figure(figure, f"pictures/{name}.png")
    tracker.set_tags(_fitted_to(job))
    if job.refits and job.loaded.recipe.tracking.log_model:
        _log_final(tracker, result.final, job.data.X)
    return replace(result, pictures={**result.pictures, **tracker.figures_}, record=_record(tracker))


def _fitted_to(job: Job) -> dict[str, str]:
    """Return tags that tell the evaluated model from the logged one."""
    held_out = f"{len(job.train.X):,}; scored on {len(job.test.X):,} held out"
    logged = f"all {len(job.data.X):,}, after the evaluation" if job.refits else "the same"
    return {"seqpipe.fitted_to.evaluated": held_out, "seqpipe.fitted_to.logged": logged}


def _log_final(tracker: MLflowTracker, final: Any, X: Any) -> None:
    try:
        tracker.log_model(final, X)
    except TrackingError as error:
        warnings.warn(f"The model was not logged. {error}", TrackingWarning, stacklevel=2)


def _named(prefix: str, metrics: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}.{name}": value for name, value in metrics.items()}


def _record(tracker: MLflowTracker) -> Record:
    return Record(
        experiment=tracker.experiment,
        tracking_uri=tracker.tracking_uri_,
        run_id=_if_written(tracker, "run_id_"),
        refit_run_id=_if_written(tracker, "refit_run_id_"),
        artifact_uri=_if_written(tracker, "artifact_uri_"),
        model_uri=tracker.model_uri_,
        links=_links(tracker),
    )


def _links(tracker: MLflowTracker) -> dict[str, str]:
    """Return the pages of the experiment; none if the store does not have them yet."""
    try:
        return interface_links(tracker.tracking_uri_, experiment=tracker.experiment).get(tracker.experiment, {})
    except TrackingError:
        return {}


def _if_written(tracker: MLflowTracker, name: str) -> str | None:
    """Return an attribute of the run, None if the store does not have the run yet, of which the tracker has warned."""
    try:
        value: str | None = getattr(tracker, name)
    except TrackingError:
        return None
    return value
