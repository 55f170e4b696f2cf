"""Checks of what is passed to a tracker, so that a mistake is an error of its call, not of the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from seqpipe.tracking._params import as_text

__all__ = ["MAX_NAME", "check_name", "check_text", "checked_metadata", "checked_numbers", "checked_texts"]

#: Maximum number of characters of the name of an experiment in MLflow.
MAX_NAME = 500


def check_text(value: Any, what: str) -> None:
    """Raise unless a value is a text that can be written.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If it holds half of a surrogate pair, which no encoding has.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a text. Got {value!r:.60}, of type {type(value).__name__}, instead.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{what} must be a text that can be written, but {value!a:.60} has half of a surrogate pair at position "
            f"{error.start}: read the text with its encoding."
        ) from error


def check_name(name: Any, what: str) -> None:
    """Raise unless a name is a text of 1 to 500 characters.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If it is empty, too long, or cannot be written.
    """
    check_text(name, what)
    if not name.strip():
        raise ValueError(f"{what} must not be empty. Got {name!r} instead.")
    if len(name) > MAX_NAME:
        raise ValueError(f"{what} has at most {MAX_NAME} characters in MLflow. Got {len(name):,}: {name!r:.40}….")


def checked_numbers(metrics: Any, where: str) -> dict[str, float]:
    """Return metrics as numbers by name.

    Parameters
    ----------
    metrics : mapping of str to float
        The metrics.
    where : str
        The method and argument that errors name, such as "log_metrics: metrics".

    Raises
    ------
    TypeError
        If it is no mapping, a name no text, or a value not a single number.
    ValueError
        If a number is out of the range of a float, or a name or value cannot be read.
    """
    numbers = {}
    for name, value in _items(metrics, where, "numbers"):
        try:
            if getattr(value, "ndim", 0):
                raise TypeError(f"it has shape {tuple(value.shape)}")
            numbers[name] = float(value)
        except (TypeError, ValueError, OverflowError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(
                f"{where} must have one number per name. Got {value!r:.60}, of type {type(value).__name__}, for {name!r} instead "
                f"({error})."
            ) from error
    return numbers


def checked_texts(entries: Any, where: str) -> dict[str, str]:
    """Return tags or parameters as texts by name; values of any type become texts.

    Raises
    ------
    TypeError
        If it is no mapping, or a name no text.
    ValueError
        If a name cannot be written.
    """
    return {name: as_text(value) for name, value in _items(entries, where, "values")}


def checked_metadata(metadata: Any) -> dict[str, Any]:
    """Return the metadata of a model, a mapping of JSON types or None.

    Raises
    ------
    TypeError
        If it is no mapping with names that are texts, or has values of other types.
    ValueError
        If a value contains itself, or a text cannot be written.
    """
    entries = dict(_items({} if metadata is None else metadata, "model_metadata", "values"))
    for name, value in entries.items():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"model_metadata must hold JSON types. {name!r} cannot be written ({error}).") from error
    return entries


def _items(entries: Any, where: str, kind: str) -> list[tuple[str, Any]]:
    if not isinstance(entries, Mapping):
        raise TypeError(
            f"{where} must be a mapping of names to {kind}. Got {entries!r:.60}, of type {type(entries).__name__}, instead."
        )
    for name in entries:
        check_text(name, f"A name in {where}")
    return list(entries.items())
