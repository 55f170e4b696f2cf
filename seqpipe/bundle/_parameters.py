"""Schemas of the parameters of estimators, derived from their constraints."""

from __future__ import annotations

import inspect
import math
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from torch.optim import Optimizer

from seqpipe.cells import Cell
from seqpipe.saved import (
    LONGEST,
    AnyOf,
    Flag,
    Inert,
    Instance,
    Nothing,
    Number,
    Plain,
    Schema,
    SubclassOf,
    TextOf,
    Whole,
)

__all__ = ["parameter_schemas"]

#: Names of devices, cells, optimizers and the like, not paths.
_NAME = TextOf(pattern=r"[\w.:+ -]*", most=200)


def parameter_schemas(kind: type) -> dict[str, Schema]:
    """Return the schema of each parameter of an estimator of seqpipe or a plug-in; of anything else, none."""
    if not issubclass(kind, BaseEstimator):
        return {}
    constraints = getattr(kind, "_parameter_constraints", {})
    names = list(inspect.signature(kind).parameters)
    return {name: _schema_of(constraints.get(name)) for name in names}


def _schema_of(constraint: Any) -> Schema:
    """Return the schema of a parameter; one without constraints may have any value but a function."""
    if constraint is None:
        return Inert()
    if isinstance(constraint, str):  # "no_validation": the parameter is checked by what it names
        return AnyOf((_NAME, SubclassOf(Cell), Nothing()))
    return AnyOf(tuple(schema for each in constraint if (schema := _option(each)) is not None))


def _option(constraint: Any) -> Schema | None:
    """Return the schema of one alternative of a constraint, or None for functions, which no file may hold."""
    if isinstance(constraint, Interval):
        return _interval(constraint)
    if isinstance(constraint, StrOptions):
        return TextOf(among=tuple(sorted(constraint.options)))
    if isinstance(constraint, HasMethods):
        return Instance(BaseEstimator)
    return _BY_CONSTRAINT.get(constraint, Plain())


def _interval(constraint: Interval) -> Schema:
    low = -math.inf if constraint.left is None else constraint.left
    high = math.inf if constraint.right is None else constraint.right
    if constraint.type is Integral:
        return Whole(int(max(low, -LONGEST)), int(min(high, LONGEST)))
    return Number(low, high)


_BY_CONSTRAINT: dict[Any, Schema | None] = {
    None: Nothing(),
    "boolean": Flag(),
    "random_state": AnyOf((Whole(0, 2**32 - 1), Instance(np.random.RandomState), Nothing())),
    "verbose": AnyOf((Flag(), Whole())),
    callable: None,
    str: _NAME,
    type: SubclassOf(Optimizer),
}
