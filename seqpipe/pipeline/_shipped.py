"""The recipes that ship with seqpipe."""

from __future__ import annotations

import os
from pathlib import Path

from seqpipe.exceptions import RecipeError, did_you_mean

__all__ = ["find_recipe", "shipped_recipes"]

_PACKAGE = Path(__file__).parent


def shipped_recipes() -> dict[str, Path]:
    """Return the files of the shipped recipes by name."""
    installed = _PACKAGE / "recipes"
    folder = installed if installed.is_dir() else _PACKAGE.parents[1] / "pipelines"  # not installed: a checkout
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_recipe(source: str | os.PathLike[str]) -> Path:
    """Return the file of a recipe given by path, or by name for a shipped recipe.

    Raises
    ------
    RecipeError
        If neither exists.
    """
    path = Path(source)
    if path.is_file():
        return path
    shipped = shipped_recipes()
    if os.fspath(source) in shipped:
        return shipped[os.fspath(source)]
    raise RecipeError(
        f"{path}: there is no such file, and no shipped recipe of this name."
        f"{did_you_mean(path.stem, shipped)} The shipped ones are {', '.join(shipped)}."
    )
