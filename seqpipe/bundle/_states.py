"""The states of objects in a file, held to the schemas of their classes before the objects are created."""

from __future__ import annotations

import inspect
from functools import cache

from sklearn.base import BaseEstimator

from seqpipe.bundle._parameters import parameter_schemas
from seqpipe.saved import (
    ArrayOf,
    Entries,
    Function,
    Inert,
    Items,
    Nothing,
    Numbering,
    ObjectOutline,
    Schema,
    StateError,
    TextOf,
    Whole,
    optional,
)

__all__ = ["check_state", "schemas_of"]

#: What scikit-learn adds to the state of every estimator.
_OF_EVERY_ESTIMATOR: dict[str, Schema] = {
    "_metadata_request": Inert(),
    "_sklearn_auto_wrap_output_keys": Inert(),
    "_sklearn_output_config": Entries(optional(TextOf(among=("default", "pandas", "polars")))),
    "_sklearn_version": TextOf(pattern=r"[\w.+-]*", most=50),
    "feature_names_in_": ArrayOf("OU", 1),
    "n_features_in_": Whole(),
}
_N_JOBS = optional(Whole(-256, 256))
#: Attributes of scikit-learn's estimators that name files, start processes, or decide how much is computed.
_OF_SKLEARN: dict[str, Schema] = {
    "_cached_dict": optional(Numbering()),
    "degree": optional(Whole(0, 20), Items(Whole(0, 20), most=2)),
    "input": TextOf(among=("content",)),
    "memory": Nothing(),
    "n_jobs": _N_JOBS,
    "n_output_features_": Whole(high=10_000_000),
    "pre_dispatch": optional(Whole(high=10_000), TextOf(pattern=r"all|(\d{1,3} ?\* ?)?n_jobs")),
    "token_pattern": optional(TextOf(pattern=r"(?!.*[)][*+{?]).*", most=60)),
    "vocabulary_": Numbering(),
}
_ELEMENTWISE = ("numpy.", "scipy.special.")
#: The only places of functions.
_FUNCTIONS: dict[str, dict[str, Schema]] = {
    "FunctionTransformer": {name: optional(Function(_ELEMENTWISE)) for name in ("func", "inverse_func")},
    "_Scorer": {"_score_func": Function(("sklearn.metrics.",))},
}


def check_state(found: ObjectOutline, place: str) -> None:
    """Check the state of an object at a place of the model.

    Raises
    ------
    StateError
        If an attribute is not one of its class, or its value is not allowed; the message names it.
    """
    schemas = schemas_of(found.kind)
    strict = _package(found.kind) == "seqpipe"
    for name in found.state.keys() - schemas.keys():
        _check_replaces_nothing(found.kind, name, place)
        if strict:
            raise StateError(f"{place} must not have the attribute {name!r}, which {found.kind.__name__} does not set.")
    for name, value in found.state.items():
        schemas.get(name, Inert()).check(value, f"{place}.{name}")


def _check_replaces_nothing(kind: type, name: str, place: str) -> None:
    """Check that an attribute does not replace a method or property of the class."""
    missing = object()
    own = inspect.getattr_static(kind, name, missing)
    constant = not (callable(own) or hasattr(own, "__get__") or name.startswith("__"))
    if own is not missing and not (constant and _package(kind) == "sklearn"):
        raise StateError(f"The state of {place}, a {kind.__name__}, must not replace {name!r} of its class.")


@cache
def schemas_of(kind: type) -> dict[str, Schema]:
    """Return the schemas of the attributes of a class: of its parameters, and those that it and its bases declare."""
    found: dict[str, Schema] = {}
    if issubclass(kind, BaseEstimator):
        found |= _OF_EVERY_ESTIMATOR
    if _package(kind) == "sklearn":
        return found | _OF_SKLEARN | _FUNCTIONS.get(kind.__name__, {})
    found |= parameter_schemas(kind)
    for base in reversed(kind.__mro__):
        found |= vars(base).get("_saved", {})
    return found


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]
