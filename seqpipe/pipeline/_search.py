"""The search over candidates in a recipe, and the table of its results."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from multiprocessing.dummy import DummyProcess
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring, get_scorer, get_scorer_names
from sklearn.model_selection import GridSearchCV, ParameterGrid, ParameterSampler, RandomizedSearchCV

from seqpipe.callbacks import IS_LIVE, fit_with_callbacks, reported
from seqpipe.exceptions import FitFailedError, RecipeError, UnknownNameError, did_you_mean
from seqpipe.pipeline._fits import FitNotes
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.pipeline._model import candidate_parameters
from seqpipe.pipeline._plugged_scores import plugged_scorer
from seqpipe.process import intercepted_warnings
from seqpipe.progress import REFIT
from seqpipe.tasks import Task, TaskData
from seqpipe.tracking import candidate_name

__all__ = ["candidate_names", "candidate_table", "fit_search", "make_search"]

_RAISED = re.compile(r"^[A-Za-z_][\w.]*: .*", re.MULTILINE)


def make_search(loaded: LoadedRecipe, task: Task, model: Any, train: TaskData, *, jobs: int | None) -> Any:
    """Return the search, with all names, values and folds validated.

    Raises
    ------
    RecipeError
        If a parameter, a value, the scoring or the number of folds is invalid for the model and data.
    """
    search, seed = loaded.recipe.search, loaded.recipe.seed
    assert search is not None
    if jobs == 0:
        raise RecipeError("--jobs: must be a number of parallel fits, or -1 for one per core. Got 0 instead.")
    grids = candidate_parameters(loaded, task, model, train)
    common = {
        "scoring": reported(_scoring(loaded, task, train) or check_scoring(model)),
        "cv": _folds(loaded, task, model, train),
        "n_jobs": search.jobs if jobs is None else jobs,
        "error_score": np.nan,
    }
    if search.n_iter is None:
        return GridSearchCV(model, grids if len(grids) > 1 else grids[0], **common)
    n_iter = min(search.n_iter, len(ParameterGrid(grids)))
    return RandomizedSearchCV(model, grids[0], n_iter=n_iter, random_state=seed, **common)


def candidate_names(loaded: LoadedRecipe, search: Any) -> list[str]:
    """Return the names of the candidates: their parameters as written in the recipe."""
    return [_name(loaded, params) for params in _candidates(search)]


def fit_search(
    search: Any, candidates: list[str], train: TaskData, notes: FitNotes, callbacks: list[Any], *, backend: str | None
) -> list[str]:
    """Fit the search and return the reasons of failed fits that scikit-learn reports.

    Parameters
    ----------
    search : search of scikit-learn
    candidates : list of str
        Names of the candidates.
    train : TaskData
    notes : FitNotes
    callbacks : list of FitListener
        Callbacks; one of them fills the notes.
    backend : str or None
        The joblib backend.

    Raises
    ------
    FitFailedError
        If no candidate could be fitted and scored, or a worker process died.
    """
    with _failures_collected(alone=search.n_jobs in (None, 1)) as reasons, _workers(backend):
        try:
            fit_with_callbacks(search, callbacks, train.X, train.y)
        except BrokenProcessPool as error:  # raised by joblib
            raise _dead_worker(search, candidates, train, notes) from error
        except ValueError as error:
            if "fits failed" not in str(error):
                raise
            reason = next(iter(notes.errors.values()), None) or _raised(str(error))
            raise FitFailedError(f"Every fit of the search failed, the first with {reason}") from error
    if not np.isfinite(search.cv_results_["mean_test_score"]).any():
        reason = reasons[0] if reasons else "scores that are not finite"
        raise FitFailedError(f"No candidate of the search could be scored, the first with {reason}")
    return reasons


def _dead_worker(search: Any, candidates: list[str], train: TaskData, notes: FitNotes) -> FitFailedError:
    """Return the error of a worker process that died, which names the fits that were running."""
    n_splits = search.cv.get_n_splits(train.X, train.y)
    named = [
        "the refit" if fit == REFIT else f"{candidates[fit // n_splits]}, fold {fit % n_splits + 1}"
        for fit in sorted(notes.running)
    ]
    running = f", while these were running: {'; '.join(named)}" if named else ""
    return FitFailedError(
        f"A worker process ended without a result{running}. It may have been killed because memory was exhausted: use fewer "
        "jobs, or smaller batches. The same command continues with the fits that are left."
    )


def candidate_table(loaded: LoadedRecipe, search: Any, notes: FitNotes, reasons: list[str]) -> pd.DataFrame:
    """Return one row per candidate, the best first.

    Returns
    -------
    DataFrame
        Columns ``rank``, ``name``, one per searched parameter, ``mean`` and ``std`` of the score over folds,
        ``seconds`` of a fit, ``n_parameters``, and ``error``, empty if all folds succeeded.
    """
    results, n_splits = search.cv_results_, search.n_splits_
    rows = []
    for i, params in enumerate(results["params"]):
        fits = range(i * n_splits, (i + 1) * n_splits)
        failed = not np.isfinite(results["mean_test_score"][i])
        errors = [notes.errors[fit] for fit in fits if fit in notes.errors] + reasons + ["a score that is not finite"]
        sizes = [notes.n_parameters[fit] for fit in fits if fit in notes.n_parameters]
        rows.append(
            {"rank": int(results["rank_test_score"][i]), "name": _name(loaded, params)}
            | _as_written(loaded, params)
            | {
                "mean": results["mean_test_score"][i],
                "std": results["std_test_score"][i],
                "seconds": _mean(notes.seconds, fits, results["mean_fit_time"][i]),
                "compile_seconds": _mean(notes.compile_seconds, fits, np.nan),
                "n_parameters": sizes[0] if sizes else np.nan,
                "error": errors[0] if failed else "",
            }
        )
    return pd.DataFrame(rows).sort_values("rank", kind="stable", ignore_index=True)


def _mean(values: Mapping[int, float], fits: Iterable[int], otherwise: float) -> float:
    """Return the mean of the values reported by fits, or ``otherwise`` if there are none."""
    known = [values[fit] for fit in fits if fit in values]
    return float(np.mean(known)) if known else otherwise


def _candidates(search: Any) -> list[dict[str, Any]]:
    if isinstance(search, GridSearchCV):
        return list(ParameterGrid(search.param_grid))
    return list(ParameterSampler(search.param_distributions, search.n_iter, random_state=search.random_state))


def _as_written(loaded: LoadedRecipe, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a candidate by their names in the recipe."""
    assert loaded.recipe.search is not None
    return {
        name: value
        for name in loaded.recipe.search.names
        for inner, value in params.items()
        if inner == name or inner.endswith(f"__{name}")
    }


def _name(loaded: LoadedRecipe, params: Mapping[str, Any]) -> str:
    return candidate_name(_as_written(loaded, params))


def _scoring(loaded: LoadedRecipe, task: Task, train: TaskData) -> str | Callable[..., float] | None:
    assert loaded.recipe.search is not None
    name = loaded.recipe.search.scoring
    try:
        scorer = task.scorer(name)
        if isinstance(scorer, str):
            get_scorer(scorer)
    except ValueError as error:
        if (plugged := plugged_scorer(name, task)) is not None:
            return plugged
        if isinstance(error, UnknownNameError):
            raise loaded.error(("search", "scoring"), str(error)) from error
        names = get_scorer_names()
        message = f"{name!r} is not a score of the task {loaded.recipe.task.name!r}.{did_you_mean(name, names)}"
        raise loaded.error(("search", "scoring"), message) from error
    fault = task.scoring_fault(name, train)
    if fault is not None:
        raise loaded.error(("search", "scoring"), fault)
    return scorer


def _folds(loaded: LoadedRecipe, task: Task, model: Any, train: TaskData) -> Any:
    assert loaded.recipe.search is not None
    try:
        cv = task.cv(model, train, n_splits=loaded.recipe.search.cv, seed=loaded.recipe.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the search repeats the warning
            list(cv.split(train.X, train.y))
    except ValueError as error:
        raise loaded.error(("search", "cv"), f"{error} Use fewer folds.") from error
    return cv


@contextmanager
def _workers(backend: str | None) -> Iterator[None]:
    """Set joblib's backend; on exit, wait for its threads, which Ctrl-C does not interrupt, to finish their epoch."""
    with nullcontext() if backend is None else joblib.parallel_config(backend=backend):
        before = set(threading.enumerate())
        try:
            yield
        except BaseException:
            for thread in set(threading.enumerate()) - before:
                if isinstance(thread, DummyProcess) and IS_LIVE:  # else no callback would end it before its last epoch
                    thread.join()
            raise


@contextmanager
def _failures_collected(*, alone: bool) -> Iterator[list[str]]:
    """Collect the reasons of failed fits and scores instead of showing their tracebacks as warnings.

    In worker processes, which do not exist if ``alone``, the reason of a failed score would only be printed.
    """
    reasons: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", FitFailedWarning)
        warnings.filterwarnings("always" if alone else "ignore", message="Scoring failed")
        warnings.filterwarnings("ignore", message="One or more of the test scores are non-finite")

        def take(message: Warning | str, category: type[Warning]) -> bool:
            taken = issubclass(category, FitFailedWarning) or str(message).startswith("Scoring failed")
            if taken:
                reasons.append(_raised(str(message)))
            return taken

        with intercepted_warnings(take):
            yield reasons


def _raised(traceback: str) -> str:
    """Return the line of a traceback with the exception."""
    found = _RAISED.findall(traceback)
    return found[-1] if found else "an error without message"
