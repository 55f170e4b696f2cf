"""Construction of the estimator of a recipe, with all names and values validated before training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from seqpipe.exceptions import RecipeError, UnknownNameError
from seqpipe.pipeline._document import FieldPath
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.pipeline._parameters import ParameterCheck
from seqpipe.pipeline._plugged_task import PluggedTask, new_task
from seqpipe.plugins import host
from seqpipe.tasks import Task, TaskData
from seqpipe.training import resolve_device

__all__ = ["build_model", "candidate_parameters", "make_task"]

_MODEL = "model"


def make_task(loaded: LoadedRecipe) -> Task:
    """Return the task of the recipe, with its settings.

    Raises
    ------
    RecipeError
        If there is no task of this name, or a setting is invalid.
    PluginError
        If the task is from a plug-in, and cannot be used.
    """
    wanted = loaded.recipe.task
    try:
        task = new_task(wanted.name, parameter="The task")
    except UnknownNameError as error:
        raise loaded.error(("task",), str(error)) from error
    for name, value in wanted.params.items():
        try:
            task, _ = task.with_settings({name: value})
        except (TypeError, ValueError) as error:
            raise loaded.error(("task", wanted.name, name), str(error)) from error
    return task


def build_model(loaded: LoadedRecipe, task: Task, data: TaskData, *, device: str | None = None) -> Any:
    """Return the unfitted estimator, in a Pipeline if the recipe has steps or the estimator does not support callbacks.

    Raises
    ------
    RecipeError
        If a step or parameter does not exist, or a value is invalid.
    """
    if loaded.recipe.steps and not task.needs_target and not isinstance(task, PluggedTask):
        name = loaded.recipe.task.name
        raise loaded.error(("steps",), f"the task {name!r} takes raw texts: remove the steps.")
    if loaded.recipe.steps and data.y is None and isinstance(data.X, pd.DataFrame):
        raise loaded.error(
            ("steps",),
            "steps transform the input, which for this task is the series to forecast: remove them. "
            "The forecaster scales and differences the series itself.",
        )
    check = ParameterCheck(loaded, _sample(data))
    steps = list(_steps(loaded, check))
    estimator = _estimator(loaded, task, check)
    _set_where_unset(loaded, task, estimator, "random_state", loaded.recipe.seed)
    _set_device(loaded, task, estimator, device)
    alone = not steps and hasattr(estimator, "set_callbacks")
    return estimator if alone else Pipeline([*steps, (_MODEL, estimator)])


def candidate_parameters(loaded: LoadedRecipe, task: Task, model: Any, data: TaskData) -> list[dict[str, list[Any]]]:
    """Return the parameters to search of each grid, by their names in the model.

    Raises
    ------
    RecipeError
        If a parameter does not exist, or a value is invalid.
    """
    search = loaded.recipe.search
    assert search is not None
    check = ParameterCheck(loaded, _sample(data))
    return [_candidates(check, task, model, grid, path) for path, grid in search.grids]


def _candidates(
    check: ParameterCheck, task: Task, model: Any, grid: dict[str, list[Any]], grid_path: FieldPath
) -> dict[str, list[Any]]:
    found = {}
    for name, values in grid.items():
        path: FieldPath = (*grid_path, name)
        inner = _inner_name(model, task, name)
        for i, value in enumerate(values):
            check.net_options(inner, value, path=(*path, i))
        check.name(model, inner, values[0], path=path, names=_names(model, task))
        for i, value in enumerate(values):
            check.value(model, inner, value, path=(*path, i))
            if inner.rpartition("__")[2] == "wrappers":
                check.wrappers(clone(model).set_params(**{inner: value}), inner, path=(*path, i))
        found[inner] = values
    return found


def _sample(data: TaskData) -> Any:
    """Return a small part of the data."""
    return data.X.iloc[:2] if isinstance(data.X, pd.DataFrame) else data.X[:2]


def _steps(loaded: LoadedRecipe, check: ParameterCheck) -> Iterator[tuple[str, Any]]:
    taken = set()
    for i, step in enumerate(loaded.recipe.steps):
        path: FieldPath = ("steps", i)
        try:
            found = host().find("transformer", step.name, parameter="The step")
        except UnknownNameError as error:
            raise loaded.error(path, str(error)) from error
        if step.name in taken:
            raise loaded.error(path, f"the step {step.name!r} is duplicated; keep one.")
        taken.add(step.name)
        transformer = found.create()
        if not callable(getattr(transformer, "transform", None)) or not hasattr(transformer, "get_params"):
            raise found.error(f"must be a scikit-learn transformer. Its factory returned {transformer!r:.60} instead")
        for name, value in step.params.items():
            where = (*path, step.name, name)
            check.name(transformer, name, value, path=where, names=sorted(transformer.get_params()))
            check.value(transformer, name, value, path=where)
        yield step.name, transformer.set_params(**step.params)


def _estimator(loaded: LoadedRecipe, task: Task, check: ParameterCheck) -> Any:
    """Create the estimator of the task; parameters are first tried one by one, so that errors name their line."""
    wanted = loaded.recipe.task
    _, params = task.with_settings(wanted.params)
    for name, value in params.items():
        path: FieldPath = ("task", wanted.name, name)
        inner = task.parameter(name)
        check.net_options(inner, value, path=path)
        try:
            alone = task.estimator({name: value})
        except (TypeError, ValueError) as error:
            raise loaded.error(path, str(error)) from error
        if inner in alone.get_params():
            check.value(alone, inner, value, path=path)
    try:
        estimator = task.estimator(params)
    except (TypeError, ValueError) as error:
        raise loaded.error(("task", wanted.name), str(error)) from error
    if "wrappers" in params:
        check.wrappers(estimator, task.parameter("wrappers"), path=("task", wanted.name, "wrappers"))
    return estimator


def _set_where_unset(loaded: LoadedRecipe, task: Task, estimator: Any, name: str, value: Any) -> None:
    inner = task.parameter(name)
    if inner in estimator.get_params() and name not in loaded.recipe.task.params:
        estimator.set_params(**{inner: value})


def _set_device(loaded: LoadedRecipe, task: Task, estimator: Any, device: str | None) -> None:
    """Set the requested device, which overrides that of the recipe, and validate the device in use."""
    inner = task.parameter("device")
    params = estimator.get_params()
    if device is not None:
        if inner not in params:
            raise RecipeError(f"--device: the task {loaded.recipe.task.name!r} has no device; remove the option.")
        estimator.set_params(**{inner: device})
    try:
        resolve_device(params.get(inner, "auto") if device is None else device)
    except ValueError as error:
        if device is not None:
            raise RecipeError(f"--device: {error}") from error
        raise loaded.error(("task", loaded.recipe.task.name, "device"), str(error)) from error


def _inner_name(model: Any, task: Task, name: str) -> str:
    if not isinstance(model, Pipeline):
        return task.parameter(name)
    step = name.partition("__")[0]
    return name if step in model.named_steps else f"{_MODEL}__{task.parameter(name)}"


def _names(model: Any, task: Task) -> list[str]:
    """Return the names of the parameters as written in a recipe."""
    if isinstance(model, Pipeline):
        steps = {f"{step}__{name}" for step, inner in model.steps[:-1] for name in inner.get_params()}
        return sorted(steps | set(_names(model[-1], task)))
    names = set(model.get_params())
    short = {name.rpartition("__")[2] for name in names}
    return sorted(name for name in short if task.parameter(name) in names)
