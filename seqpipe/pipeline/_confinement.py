"""What a recipe asks for outside of its folder: named before anything is read, or refused for a recipe by others."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqpipe.exceptions import RecipeError
from seqpipe.pipeline._document import FieldPath
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.tracking import local_database, outside_of_store, redacted_uri

__all__ = ["check_confined", "note_on_outside"]

#: Maximum number of fits, candidates times folds, in a search of a recipe by others.
_MAX_FITS = 1_000

_TRUSTED = "If you trust the recipe, run it without --untrusted."
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_HOME = re.compile(r"~[^/\\]*[/\\]")


def note_on_outside(loaded: LoadedRecipe) -> str | None:
    """Return what the recipe itself, not the command line, asks for outside of its folder; None for nothing."""
    asked = [
        f"{what} ({loaded.document.place(path)})"
        for path, what in _outside(loaded)
        if not loaded.document.place(path).startswith("--set")
    ]
    return f"note: outside of its folder, the recipe {' and '.join(asked)}" if asked else None


def check_confined(loaded: LoadedRecipe) -> None:
    """Raise unless the recipe stays in its folder and records runs locally.

    Raises
    ------
    RecipeError
        For a path or tracking store outside of the folder of the recipe, and a search of more than 1,000 fits; the
        message names the field.
    """
    for path, what in _outside(loaded):
        raise loaded.error(path, f"an untrusted recipe must stay in its folder, but it {what}. {_TRUSTED}")
    _check_default_store(loaded)
    _check_fits(loaded)


def _outside(loaded: LoadedRecipe) -> Iterator[tuple[FieldPath, str]]:
    """Yield the fields that name something outside of the folder, and what the recipe does with it."""
    folder = _folder(loaded)
    if (written := loaded.recipe.data.path) is not None:
        stray = _stray_data(written, folder)
        if stray is not None:
            yield ("data", "path"), f"reads {str(stray)!r}"
    if (uri := loaded.recipe.tracking.uri) is not None:
        database = local_database(uri)
        if database is None or not database.resolve().is_relative_to(folder):
            yield ("tracking", "uri"), f"records runs in {redacted_uri(uri)!r}"
    for path, name, text in _texts(loaded):
        if _leaves(text, folder):
            yield path, f"has the parameter {name!r}, {redacted_uri(text)!r:.200}"


def _folder(loaded: LoadedRecipe) -> Path:
    return (loaded.document.folder or Path()).resolve()


def _stray_data(written: str, folder: Path) -> Path | None:
    """Return the path of data outside of the folder, with links resolved; None if there is none."""
    try:
        found = next((each for each in (folder / written, Path(written)) if each.exists()), folder / written)
        paths = [
            found,
            *(found.rglob("*.parquet") if found.resolve().is_relative_to(folder) and found.is_dir() else ()),
        ]
        return next((path.resolve() for path in paths if not path.resolve().is_relative_to(folder)), None)
    except (OSError, RuntimeError, ValueError):  # a circle of links, or a NUL byte: there is no such file
        return None


def _texts(loaded: LoadedRecipe) -> Iterator[tuple[FieldPath, str, str]]:
    """Yield the texts among the parameters of task, steps and search, with their place and the parameter's name."""
    task = loaded.recipe.task
    yield from _texts_in(task.params, ("task", task.name), "")
    for i, step in enumerate(loaded.recipe.steps):
        yield from _texts_in(step.params, ("steps", i, step.name), "")
    for path, grid in () if loaded.recipe.search is None else loaded.recipe.search.grids:
        yield from _texts_in(grid, path, "")


def _texts_in(value: Any, path: FieldPath, name: str) -> Iterator[tuple[FieldPath, str, str]]:
    if isinstance(value, str):
        yield path, name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts_in(inner, (*path, key), str(key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _texts_in(inner, (*path, i), name)


def _leaves(text: str, folder: Path) -> bool:
    """Return whether a text is an address, or a path that leads out of the folder."""
    parts = re.split(r"[/\\]", text)
    if len(text) < 2 or (len(parts) == 1 and not os.path.lexists(folder / text.replace("\0", ""))):
        return False
    if _URL.match(text) or _HOME.match(text) or ".." in parts:
        return True
    try:
        here, there = (folder / text).resolve(), Path(text).resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links, or a NUL byte
        return False
    return not here.is_relative_to(folder) or (there.exists() and not there.is_relative_to(folder))


def _check_default_store(loaded: LoadedRecipe) -> None:
    """Refuse a remote store, and one in the folder of the recipe that would write elsewhere."""
    tracking, folder = loaded.recipe.tracking, _folder(loaded)
    if not tracking.enabled:
        return
    database = local_database(tracking.uri)
    if database is None:
        raise RecipeError(
            "MLFLOW_TRACKING_URI names a remote store, or one with options; runs of an untrusted recipe are recorded in a "
            "local SQLite file only. Unset it, or set it to one, such as sqlite:////home/you/untrusted.db. "
            f"{_TRUSTED}"
        )
    if not database.is_relative_to(folder) and not database.resolve().is_relative_to(folder):
        return
    real = database.resolve()
    leads = f"it leads to {str(real)!r}" if not real.is_relative_to(folder) else outside_of_store(real, folder)
    if leads is not None:
        raise RecipeError(
            f"The tracking store {str(database)!r} is in the folder of an untrusted recipe, and {leads}. Remove it, or set "
            "MLFLOW_TRACKING_URI to a store of yours, such as sqlite:////home/you/untrusted.db."
        )


def _check_fits(loaded: LoadedRecipe) -> None:
    search = loaded.recipe.search
    if search is None:
        return
    sizes = [math.prod(len(values) for values in grid.values()) for _, grid in search.grids]
    n_fits = (sum(sizes) if search.n_iter is None else min(search.n_iter, sum(sizes))) * search.cv
    if n_fits > _MAX_FITS:
        raise loaded.error(
            ("search",), f"asks for {n_fits:,} fits. An untrusted recipe may ask for {_MAX_FITS:,} at most. {_TRUSTED}"
        )
