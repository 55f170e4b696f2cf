"""Overriding of values of a document from the command line."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from seqpipe.exceptions import RecipeError
from seqpipe.pipeline._document import Document, FieldPath, parse_yaml

__all__ = ["apply_overrides"]


def apply_overrides(document: Document, overrides: Iterable[str]) -> Document:
    """Return the document with each ``"field.name=value"`` applied; values are YAML.

    Items of a list are addressed by position: ``steps.0.scale.method=robust``.

    Raises
    ------
    RecipeError
        If an override is not of that form, or its path leads through a value without fields.
    """
    data, places = copy.deepcopy(document.data), dict(document.places)
    for override in overrides:
        name, equals, text = override.partition("=")
        place = f"--set {name}"
        if not (equals and name):
            raise RecipeError(f"--set {override}: must be of the form field.name=value.")
        value, _ = parse_yaml(text, place)
        path = _put(data, name.split("."), value, place)
        places = {p: where for p, where in places.items() if p[: len(path)] != path}
        # Fields that the override creates on the way have no other place.
        places = {path[: i + 1]: place for i in range(len(path))} | places
    return Document(data, places, document.folder)


def _put(container: Any, parts: list[str], value: Any, place: str) -> FieldPath:
    path: FieldPath = ()
    for i, part in enumerate(parts):
        key = _key(container, part, place)
        path = (*path, key)
        if i == len(parts) - 1:
            container[key] = value
        else:
            container = _enter(container, key, parts[i + 1])
    return path


def _key(container: Any, part: str, place: str) -> str | int:
    if isinstance(container, dict):
        return part
    if isinstance(container, list):
        if part.isdecimal() and int(part) < len(container):
            return int(part)
        raise RecipeError(f"{place}: {part!r} must be a position in a list of {len(container)}, counted from 0.")
    raise RecipeError(f"{place}: {part!r} would be a field of {container!r}, which has no fields.")


def _enter(container: Any, key: str | int, following: str) -> Any:
    inner = container.get(key) if isinstance(container, dict) else container[key]
    if inner is None:
        inner = container[key] = {}
    elif inner == following:  # a bare name, "task: classify", about to get parameters
        inner = container[key] = {following: {}}
    return inner
