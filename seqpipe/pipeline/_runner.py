"""Running of a recipe, from loading to evaluation."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from sklearn.base import clone

from seqpipe.callbacks import FitListener, fit_with_callbacks
from seqpipe.exceptions import FitFailedError, InvalidSequencesError, SeqpipeError
from seqpipe.pipeline._confinement import check_confined, note_on_outside
from seqpipe.pipeline._epoch_pictures import EpochPictures
from seqpipe.pipeline._fits import FitNotes
from seqpipe.pipeline._job import Job, prepare_job
from seqpipe.pipeline._load import LoadedRecipe, RecipeSource, load_recipe
from seqpipe.pipeline._metadata import ModelMetadata
from seqpipe.pipeline._plugged_scores import plugged_metrics, plugged_pictures
from seqpipe.pipeline._plugged_task import PluggedTask
from seqpipe.pipeline._recording import recorded
from seqpipe.pipeline._remark import constant_remark
from seqpipe.pipeline._report import print_result
from seqpipe.pipeline._result import RunResult
from seqpipe.pipeline._resuming import forget_checkpoints, kept_run, with_checkpoints
from seqpipe.pipeline._search import candidate_table, fit_search
from seqpipe.process import variable
from seqpipe.progress import FitCounter, SearchProgress
from seqpipe.tables import count
from seqpipe.tasks import TaskData
from seqpipe.tracking import MLflowTracker, fit_name

__all__ = ["run_recipe"]


def run_recipe(
    source: RecipeSource,
    *,
    overrides: Iterable[str] = (),
    jobs: int | None = None,
    device: str | None = None,
    fresh: bool = False,
    console: Console | None = None,
    untrusted: bool = False,
) -> RunResult:
    """Train, tune, evaluate and record the model of a recipe.

    Parameters
    ----------
    source : str, path or mapping
        A YAML file, the name of a shipped recipe such as "digits", or the contents of such a file.
    overrides : iterable of str
        Fields to override, each ``"field.name=value"`` with the value in YAML.
    jobs : int, optional
        Number of parallel fits, -1 for one per core; by default ``search.jobs`` of the recipe.
    device : str, optional
        Device for training, such as "cpu" or "cuda"; by default that of the recipe, else of the estimator.
    fresh : bool, default=False
        Whether to start again if a run of the same recipe was interrupted in this folder, instead of continuing it.
    console : rich.console.Console, optional
        Console for progress and results; nothing is printed by default.
    untrusted : bool, default=False
        Whether the recipe is by others and must stay in its folder: data and other paths, with links resolved, are below
        it; runs are recorded in a local SQLite file; no plug-ins are used but those that SEQPIPE_PLUGINS lists; a search
        has at most 1,000 fits, one at a time unless ``jobs`` is given; an interrupted run is not continued. Memory and time
        are limited by the command line only.

    Returns
    -------
    RunResult
        Scores, pictures and the fitted estimator.

    Raises
    ------
    RecipeError
        If the recipe is invalid; the message names file, line, field and remedy.
    InvalidSequencesError
        If its data is invalid; the message names the position.
    FitFailedError
        If its fit, or every fit of its search, failed.
    TrackingError
        If the tracking store is not available at the start.
    """
    console = console or Console(quiet=True)
    loaded = load_recipe(source, overrides)
    if untrusted:
        with variable("SEQPIPE_PLUGINS", os.environ.get("SEQPIPE_PLUGINS", "")):
            check_confined(loaded)
            # what an interrupted run has left may have come with the recipe
            return _run(loaded, jobs=1 if jobs is None else jobs, device=device, fresh=True, console=console)
    if (note := note_on_outside(loaded)) is not None:
        _print(console, note)
    return _run(loaded, jobs=jobs, device=device, fresh=fresh, console=console)


def _run(loaded: LoadedRecipe, *, jobs: int | None, device: str | None, fresh: bool, console: Console) -> RunResult:
    job = prepare_job(loaded, jobs=jobs, device=device)
    for line in job.summary:
        _print(console, line)
    with kept_run(job.loaded, fresh=fresh, console=console) as folder:
        job = replace(job, estimator=with_checkpoints(job.estimator, folder))
        with _tracker(job, folder) as tracker:
            result = _refitted(job, _evaluated(job, _fitted(job, tracker, console)), console)
            if tracker is not None:
                result = recorded(job, result, tracker)
    forget_checkpoints(result.estimator)
    forget_checkpoints(result.final)
    print_result(console, result)
    return result


def _print(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _tracker(job: Job, folder: Path | None) -> AbstractContextManager[MLflowTracker | None]:
    tracking = job.loaded.recipe.tracking
    if not tracking.enabled:
        return nullcontext()
    return MLflowTracker(
        tracking.experiment or job.loaded.name,
        tracking_uri=tracking.uri,
        run_name=fit_name(job.estimator, job.loaded.name),
        log_model=tracking.log_model and not job.refits,
        continues=folder,
        diagnostics=tracking.diagnostics,
        model_metadata=ModelMetadata.of(job).as_dict(),
        tags={"dataset": job.train.name, "seqpipe.task": job.loaded.recipe.task.name},
    )


def _fitted(job: Job, tracker: MLflowTracker | None, console: Console) -> RunResult:
    search = job.loaded.recipe.search
    notes = FitNotes()
    callbacks = [FitCounter(notes.receive), SearchProgress(console), *_recorders(job, tracker)]
    estimator = job.estimator
    result = RunResult(job.loaded.name, estimator, table=pd.DataFrame())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* does not support callbacks")  # a step has no separate run
        if search is None:
            _fit_alone(job, estimator, callbacks, job.train)
            return result
        reasons = fit_search(estimator, job.candidates, job.train, notes, callbacks, backend=search.backend)
    return replace(
        result,
        estimator=estimator.best_estimator_,
        best_params=estimator.best_params_,
        best_score=float(estimator.best_score_),
        table=candidate_table(job.loaded, estimator, notes, reasons),
    )


def _recorders(job: Job, tracker: MLflowTracker | None) -> list[FitListener]:
    if tracker is None:
        return []
    every = job.loaded.recipe.evaluate.epoch_pictures
    return [tracker, *([] if every is None else [EpochPictures(every, job.task, job.test, tracker.log_image)])]


def _fit_alone(job: Job, estimator: Any, callbacks: list[Any], data: TaskData) -> None:
    try:
        fit_with_callbacks(estimator, callbacks, data.X, data.y)
    except InvalidSequencesError as error:
        if data is not job.train or job.task.target_type != "series":
            raise
        held_out = (
            f"holds out {len(job.test.X):,} of {count(len(job.data.X), 'time step')}, which leaves {len(data.X):,}"
        )
        raise job.loaded.error(("evaluate", "test_size"), f"{held_out} to train on. {error}") from error
    except SeqpipeError:
        raise
    except Exception as error:
        whose = f"{job.task.who}: the" if isinstance(job.task, PluggedTask) else "The"
        raise FitFailedError(f"{whose} fit failed with {type(error).__name__}: {error}") from error


def _refitted(job: Job, result: RunResult, console: Console) -> RunResult:
    """Add the final model: the evaluated one, or a clone of it fitted to all data."""
    if not job.refits:
        return replace(result, final=result.estimator)
    console.print(f"fitting again to all {len(job.data.X):,}, the {len(job.test.X):,} held out included")
    final = clone(result.estimator)
    _fit_alone(job, final, [], job.data)
    return replace(result, final=final)


def _evaluated(job: Job, result: RunResult) -> RunResult:
    metrics = job.task.metrics(result.estimator, job.test)
    metrics |= plugged_metrics(job.loaded, job.task, result.estimator, job.test)
    baselines = job.task.baselines(result.estimator, job.train, job.test)
    return replace(
        result,
        metrics=metrics,
        baselines=baselines,
        remark=constant_remark(job.task, metrics, baselines),
        pictures=job.task.pictures(result.estimator, job.train, job.test)
        | plugged_pictures(job.loaded, result.estimator, job.train, job.test),
        texts=job.task.texts(result.estimator),
    )
