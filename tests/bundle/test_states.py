"""Every attribute that a file may hold has a schema."""

from __future__ import annotations

import dataclasses
import inspect
import pkgutil
from importlib import import_module
from typing import Any

import pytest
from sklearn.base import BaseEstimator

import seqpipe
from seqpipe.bundle._states import schemas_of
from seqpipe.estimators._declared import DeclaredEstimator, _Fitted
from seqpipe.saved import Inert, Schema


def classes_of_seqpipe() -> list[type]:
    """Return the classes in all modules of seqpipe, those that are not public included."""
    modules = [
        import_module(found.name)
        for found in pkgutil.walk_packages(seqpipe.__path__, "seqpipe.")
        if not found.name.endswith("__main__") and ".template" not in found.name
    ]
    members = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)}
    return sorted((kind for kind in members if kind.__module__.startswith("seqpipe.")), key=str)


CLASSES = classes_of_seqpipe()
ESTIMATORS = [kind for kind in CLASSES if issubclass(kind, BaseEstimator)]


def annotated(kind: type) -> set[str]:
    """Return the attributes ending in an underscore that a class annotates: those that fit sets."""
    return {name for base in kind.__mro__ for name in vars(base).get("__annotations__", {}) if name.endswith("_")}


@pytest.mark.parametrize("kind", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_every_parameter_and_fitted_attribute_has_a_schema(kind: type) -> None:
    schemas = schemas_of(kind)
    parameters = set(inspect.signature(kind.__init__).parameters) - {"self", "args", "kwargs"}
    assert not parameters - schemas.keys()
    declared = {
        name
        for base in kind.__mro__
        if issubclass(base, DeclaredEstimator)
        for name, each in base._declared.items()
        if isinstance(each, _Fitted)
    }
    own = {name for name in annotated(kind) if not name.startswith("__")}
    assert not (declared | own) - schemas.keys() - {"net_"}
    assert all(isinstance(schema, Schema) for schema in schemas.values())


@pytest.mark.parametrize("kind", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_parameters_with_constraints_have_a_schema_of_their_own(kind: type) -> None:
    constraints: dict[str, Any] = getattr(kind, "_parameter_constraints", {})
    assert not [name for name in constraints if isinstance(schemas_of(kind)[name], Inert)]


@pytest.mark.parametrize(
    "kind", [kind for kind in CLASSES if "_saved" in vars(kind) and dataclasses.is_dataclass(kind)], ids=str
)
def test_every_field_of_a_data_class_that_is_saved_has_a_schema(kind: Any) -> None:
    assert {field.name for field in dataclasses.fields(kind)} <= schemas_of(kind).keys()
