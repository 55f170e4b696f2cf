"""Loading of a recipe from a file, a mapping or the shipped recipes, and validation against the schema."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from seqpipe.exceptions import RecipeError, did_you_mean
from seqpipe.pipeline._document import Document, FieldPath, read_document, write_yaml
from seqpipe.pipeline._overrides import apply_overrides
from seqpipe.pipeline._schema import (
    GRID_TAGS,
    DataSection,
    EvaluateSection,
    Recipe,
    SearchSection,
    TrackingSection,
)
from seqpipe.pipeline._shipped import find_recipe

__all__ = ["LoadedRecipe", "RecipeSource", "load_recipe"]

RecipeSource = str | os.PathLike[str] | Mapping[str, Any]

_SECTIONS: dict[FieldPath, type[BaseModel]] = {
    (): Recipe,
    ("data",): DataSection,
    ("evaluate",): EvaluateSection,
    ("search",): SearchSection,
    ("tracking",): TrackingSection,
}


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe, its name, and the document that errors refer to."""

    name: str
    recipe: Recipe
    document: Document

    @property
    def text(self) -> str:
        """The recipe as run, including overrides, as YAML."""
        return write_yaml(self.document.data)

    def error(self, path: FieldPath, message: str) -> RecipeError:
        """Return an error for ``path``."""
        return self.document.error(path, message)


def load_recipe(source: RecipeSource, overrides: Iterable[str] = ()) -> LoadedRecipe:
    """Load a recipe and validate it against the schema.

    Parameters
    ----------
    source : str, path or mapping
        A YAML file, the name of a shipped recipe, or the contents of such a file.
    overrides : iterable of str
        Each is ``"field.name=value"``, with the value in YAML.

    Raises
    ------
    RecipeError
        If the recipe is invalid; the message names file, line, field and remedy.
    """
    if isinstance(source, Mapping):
        name, document = "recipe", Document(dict(source))
    else:
        path = find_recipe(source)
        name, document = path.stem, read_document(path)
    if not isinstance(document.data, dict):
        raise document.error((), "a recipe must consist of fields such as 'data' and 'task', one per line.")
    document = apply_overrides(document, overrides)
    try:
        recipe = Recipe.model_validate(document.data)
    except ValidationError as error:
        raise _located(error.errors()[0], document) from error
    return LoadedRecipe(recipe.name or name, recipe, document)


def _located(details: ErrorDetails, document: Document) -> RecipeError:
    path = tuple(part for part in details["loc"] if part not in ("[key]", *GRID_TAGS))
    match details["type"]:
        case "extra_forbidden" | "invalid_key":
            section = _SECTIONS[path[:-1]]
            names = sorted(section.model_fields)
            message = f"is not a field here.{did_you_mean(path[-1], names)} The fields are {', '.join(names)}."
        case "missing":
            message = "is missing; every recipe requires it."
        case "value_error":
            message = f"{details['ctx']['error']}."
        case "model_type" | "dict_type":
            message = f"must be fields with values, as in {{field: value}}. Got {details['input']!r} instead."
        case "too_short":
            message = "must not be empty."
        case "list_type":
            message = f"must be a list, as in [value, value]. Got {details['input']!r} instead."
        case _:
            wanted = details["msg"].removeprefix("Input should be ").replace("a valid boolean", "true or false")
            message = f"must be {wanted}. Got {details['input']!r} instead."
    return document.error(path, message)
