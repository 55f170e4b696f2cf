"""Convert parameters to the short strings that a run stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["MAX_LENGTH", "as_text", "numbers_in", "scalar_params", "short_name", "texts_in"]

#: Maximum number of characters of a value in MLflow.
MAX_LENGTH = 6000


def as_text(value: Any) -> str:
    """Return the value of a parameter as a string of at most `MAX_LENGTH` characters; a class gives its name."""
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        text = str(value.__qualname__)
    elif hasattr(value, "get_params"):
        text = type(value).__name__
    else:
        text = str(value)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def scalar_params(estimator: Any, *, deep: bool = True) -> dict[str, str]:
    """Return the parameters of an estimator that are a number, string, bool, class or None, as strings.

    Nested estimators are left out, but not their parameters.
    """
    params = estimator.get_params(deep=deep)
    return {name: as_text(value) for name, value in sorted(params.items()) if _is_scalar(value)}


def _is_scalar(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, str | bool | int | float | type)
        or (getattr(value, "ndim", None) == 0 and hasattr(value, "item"))
    )


def short_name(params: Mapping[str, str]) -> str:
    """Return a run name made of searched parameters, such as "cell=gru, hidden_size=32"."""
    short = [name.rpartition("__")[2] for name in params]
    names = short if len(set(short)) == len(short) else list(params)
    return ", ".join(f"{name}={value}" for name, value in zip(names, params.values()))


def numbers_in(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return the entries that are real numbers, NaN and infinity included."""
    found = {}
    for name, value in metadata.items():
        if isinstance(value, bool | str) or getattr(value, "ndim", None) not in (None, 0):
            continue
        try:
            found[name] = float(value)
        except (TypeError, ValueError):
            continue
    return found


def texts_in(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries that are strings."""
    return {name: value for name, value in metadata.items() if isinstance(value, str)}
