"""What identifies a fit: its settings, its data and the versions of the libraries; compared before it continues."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import version
from types import CodeType, FunctionType
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator

from seqpipe.training import Samples

__all__ = ["described", "differences", "digest", "identity"]

#: Parameters that do not change the result of a fit.
_IRRELEVANT = {"checkpoint", "verbose"}
_LIBRARIES = ("seqpipe", "torch", "numpy", "scikit-learn")
_LONGEST = 60


def identity(estimator: BaseEstimator, samples: Samples, initial: Any) -> dict[str, Any]:
    """Return what identifies the fit of an estimator, as strings.

    Parameters
    ----------
    estimator : estimator
    samples : Samples
        The training data.
    initial : object
        Weights that the fit starts from; None if they are random.
    """
    params = {name: value for name, value in estimator.get_params().items() if name not in _IRRELEVANT}
    data = {
        "X": samples.X,
        "y": samples.y,
        "weights": (samples.weight, samples.step_weight),
        "weights of warm_start": initial,
    }
    return {
        "estimator": described(type(estimator)),
        "settings": {name: described(value) for name, value in params.items()},
        "data": {name: joblib.hash(value) for name, value in data.items()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
    }


def digest(fit: Mapping[str, Any]) -> str:
    """Return a name for a fit that does not depend on versions."""
    named = {name: value for name, value in fit.items() if name != "versions"}
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:32]


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return what differs between two fits besides versions, in words."""
    if found["estimator"] != wanted["estimator"]:
        return [f"it is of a {_short(found['estimator'])}"]
    settings = [
        f"{name} is {_short(old)} there and {_short(new)} here"
        for name, old, new in _changed(found["settings"], wanted["settings"])
    ]
    return settings + [f"{name} is other data" for name, _, _ in _changed(found["data"], wanted["data"])]


def _changed(found: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in {**found, **wanted}:
        old, new = found.get(name, "not set"), wanted.get(name, "not set")
        if old != new:
            yield name, old, new


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def described(value: Any) -> str:
    """Return a string that is equal for equal settings in all processes; code is compared by what it does."""
    if value is None or isinstance(value, str | bool | int | float | complex):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {described(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(described, value)) + "]"
    if isinstance(value, partial):
        return f"partial({described(value.func)}, {described(value.args)}, {described(value.keywords)})"
    if isinstance(value, type | FunctionType):
        return f"{value.__module__}.{value.__qualname__}#{_digest_of_code(value)}"
    if isinstance(value, np.random.RandomState):
        return "RandomState"
    return f"{type(value).__qualname__}#{_digest_of_object(value)}"


def _digest_of_object(value: Any) -> str:
    if isinstance(value, BaseEstimator):
        return hashlib.sha256(described(value.get_params()).encode()).hexdigest()[:16]
    try:
        return str(joblib.hash(value))
    except Exception:  # it cannot be pickled: only its type is compared
        return ""


def _digest_of_code(value: type | FunctionType) -> str:
    functions = (
        [value] if isinstance(value, FunctionType) else [f for f in vars(value).values() if isinstance(f, FunctionType)]
    )
    parts = [part for function in functions for part in _parts_of_code(function.__code__)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _parts_of_code(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts_of_code(constant)
        else:
            yield repr(constant)
