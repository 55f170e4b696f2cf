"""Convert parameters to the short strings that a run stores."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from inspect import Parameter, signature
from typing import Any

from seqpipe.callbacks import Reported

__all__ = ["MAX_LENGTH", "as_text", "cells_in", "changed_params", "is_cell", "numbers_in", "scalar_params", "texts_in"]

#: Maximum number of characters of a value in MLflow.
MAX_LENGTH = 6000


def as_text(value: Any) -> str:
    """Return the value of a parameter as a string of at most `MAX_LENGTH` characters; a class gives its name.

    Halves of surrogate pairs, which no store takes, are escaped.
    """
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        text = str(value.__qualname__)
    elif hasattr(value, "get_params"):
        text = type(value).__name__
    else:
        text = str(value)
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def scalar_params(estimator: Any, *, deep: bool = True) -> dict[str, str]:
    """Return the parameters of an estimator that are a number, string, bool, class or None, as strings.

    Nested estimators are left out, but not their parameters. A scorer that is reported counts as the one that it wraps.
    """
    params = sorted(estimator.get_params(deep=deep).items())
    plain = {name: value.scoring if isinstance(value, Reported) else value for name, value in params}
    return {name: as_text(value) for name, value in plain.items() if _is_scalar(value)}


def changed_params(estimator: Any, *, deep: bool = True) -> dict[str, str]:
    """Return those of `scalar_params` that differ from the defaults of their estimators."""
    params = {"": estimator, **estimator.get_params(deep=deep)}
    scalar = scalar_params(estimator, deep=deep)
    return {name: text for name, text in scalar.items() if text != _default(params, name)}


def _default(params: Mapping[str, Any], name: str) -> str | None:
    """Return the default of a parameter as a string, None if it has none."""
    owner, _, short = name.rpartition("__")
    kind: Any = type(params[owner])
    return _defaults(kind).get(short)


@lru_cache(maxsize=256)
def _defaults(kind: Any) -> dict[str, str]:
    """Return the defaults of a class as strings; inspecting it takes longer than all else that is recorded of a fit."""
    found = signature(kind).parameters.items()
    return {name: as_text(each.default) for name, each in found if each.default is not Parameter.empty}


def cells_in(params: Mapping[str, Any]) -> list[str]:
    """Return the names of the cells among parameters, those of estimators inside included."""
    return [as_text(value) for name, value in params.items() if is_cell(name)]


def is_cell(name: str) -> bool:
    """Return whether a parameter, possibly of an estimator inside, is the cell."""
    return name.rpartition("__")[2] == "cell"


def _is_scalar(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, str | bool | int | float | type)
        or (getattr(value, "ndim", None) == 0 and hasattr(value, "item"))
    )


def numbers_in(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return the entries that are real numbers, NaN and infinity included."""
    found = {}
    for name, value in metadata.items():
        if not isinstance(name, str) or isinstance(value, bool | str) or getattr(value, "ndim", None) not in (None, 0):
            continue
        try:
            found[name] = float(value)
        except (TypeError, ValueError, OverflowError):
            continue
    return found


def texts_in(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries that are strings."""
    return {
        name: as_text(value) for name, value in metadata.items() if isinstance(name, str) and isinstance(value, str)
    }
