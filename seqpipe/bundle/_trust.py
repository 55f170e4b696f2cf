"""The classes that a saved model may contain: an untrusted file must not determine which code runs on loading.

Names are resolved and checked by what they refer to: a function of a trusted package can do anything when called, and
the state of an estimator may cause a call. Functions are refused, except the metrics of scikit-learn's scorers, which
a search contains, and numpy's elementwise functions. Compiled code that uses indices and sizes from a file without
checking them reads or writes arbitrary memory if they are forged: classes that need such code are refused, although skops
trusts most of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit
from torch.optim import Optimizer

from seqpipe.cells import Cell
from seqpipe.plugins import ENTRY_POINT_GROUP
from seqpipe.sequences import Sequences, Windows

__all__ = ["TrustedNames", "foreign_types", "plugins", "unchecked_types"]

#: Whose subclasses are trusted: estimators and splitters.
_HOLD_DATA = (BaseEstimator, BaseCrossValidator, BaseShuffleSplit)
#: What fitted estimators of scikit-learn hold besides arrays and each other.
_DATA_CLASSES = {
    "numpy.dtype",
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.AbsoluteError",
    "sklearn._loss.loss.ExponentialLoss",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfGammaLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfPoissonLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn._loss.loss.HuberLoss",
    "sklearn._loss.loss.PinballLoss",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.metrics._scorer._MultimetricScorer",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
}
#: What compiled code works on without a check, by package or name; and what of it is numpy's alone.
_UNCHECKED = (
    "scipy.sparse.",
    "sklearn.cluster.",
    "sklearn.ensemble._hist_gradient_boosting.predictor.",
    "sklearn.metrics._dist_metrics.",
    "sklearn.neighbors.",
    "sklearn.preprocessing._discretization.KBinsDiscretizer",
    "sklearn.preprocessing._encoders.OneHotEncoder",
    "sklearn.svm.",
    "sklearn.tree.",
)
_PLAIN = {
    "sklearn.neighbors._nearest_centroid.NearestCentroid",
    "sklearn.svm._classes.LinearSVC",
    "sklearn.svm._classes.LinearSVR",
}
#: Modules with compiled loss functions, which linear models hold; some call themselves by a short name.
_LOSSES = {"_loss": "sklearn._loss._loss", **{m: m for m in ("sklearn._loss._loss", "sklearn.linear_model._sgd_fast")}}
#: Parts of module names that belong to tests, or change settings when they are imported.
_NOT_LIBRARY = {"__main__", "_mocking", "_testing", "conftest", "experimental", "externals", "tests"}
_SCALARS = {"builtins.bool": bool, "builtins.float": float, "builtins.int": int, "builtins.str": str}


class TrustedNames:
    """What the names in a file refer to, for each way in which a file names something."""

    def __init__(self) -> None:
        self._own = {"seqpipe", *(point.module.partition(".")[0] for point in plugins())}

    def object_class(self, name: str) -> type | None:
        """Return the class of an object that holds data only, or None."""
        if name in _DATA_CLASSES and name != "numpy.dtype":
            return _class_called(name)
        package, kind = name.partition(".")[0], None
        if package in self._own:
            kind = _class_called(name)
            return kind if _holds_data(kind) else None
        if package == "sklearn":
            kind = _class_called(name)
        return kind if kind is not None and issubclass(kind, _HOLD_DATA) else None

    def plain_class(self, name: str) -> type | None:
        """Return a class that may be named itself: a cell, an optimizer, or a type of numbers or texts; else None."""
        if name in _SCALARS:
            return _SCALARS[name]
        if name.startswith("numpy."):
            found = getattr(np, name.removeprefix("numpy."), None)
            return found if isinstance(found, type) and issubclass(found, np.generic) else None
        package = name.partition(".")[0]
        bases = (Cell,) if package in self._own else (Optimizer,) if name.startswith("torch.optim.") else ()
        kind = _class_called(name) if bases else object
        return kind if issubclass(kind, bases) else None

    def loss_class(self, name: str) -> type | None:
        """Return a compiled loss function of scikit-learn's linear models, or None."""
        module, _, attribute = name.rpartition(".")
        found = getattr(import_module(_LOSSES[module]), attribute, None) if module in _LOSSES else None
        return found if isinstance(found, type) and found.__module__ in _LOSSES else None

    def is_function(self, name: str) -> bool:
        """Return whether a name is that of a metric, or of a function of numpy or scipy on each number."""
        return name in _metrics() or _is_elementwise(name)

    def is_trusted(self, name: str) -> bool:
        """Return whether a file may contain what a name refers to, in one way or another."""
        if name == "numpy.dtype" or self.is_function(name):
            return True
        return self.object_class(name) is not None or self.plain_class(name) is not None


def unchecked_types(names: Iterable[str]) -> list[str]:
    """Return those names whose contents compiled code works on without a check."""
    return sorted(name for name in set(names) if name.startswith(_UNCHECKED) and name not in _PLAIN)


def foreign_types(names: Iterable[str]) -> list[str]:
    """Return the names that are not trusted classes of scikit-learn, seqpipe or an installed plug-in."""
    trusted = TrustedNames()
    return [name for name in names if not trusted.is_trusted(name)]


def plugins() -> EntryPoints:
    """Return the entry points of installed plug-ins."""
    return entry_points(group=ENTRY_POINT_GROUP)


@cache
def _metrics() -> frozenset[str]:
    """Return the functions that scikit-learn's named scorers call, which compute a number from two arrays."""
    functions = [get_scorer(name)._score_func for name in get_scorer_names()]
    return frozenset(f"{function.__module__}.{function.__qualname__}" for function in functions)


def _is_elementwise(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    if module not in ("numpy", "numpy._core._multiarray_umath", "scipy.special", "scipy.special._ufuncs"):
        return False
    return isinstance(getattr(import_module(module), attribute, None), np.ufunc)


def _holds_data(kind: type) -> bool:
    """Return whether objects of a class of seqpipe or a plug-in hold data only."""
    if dataclasses.is_dataclass(kind):
        return bool(kind.__dataclass_params__.frozen)  # type: ignore[attr-defined]
    return issubclass(kind, (*_HOLD_DATA, Sequences, Windows))


def _class_called(name: str) -> type:
    """Return the class that is defined under a name, `object` if there is none."""
    module, _, attribute = name.rpartition(".")
    parts = module.split(".")
    if _NOT_LIBRARY.intersection(parts) or not all(part.isidentifier() for part in parts):
        return object
    try:
        found = getattr(import_module(module), attribute, None)
    except Exception:  # a module of a plug-in may fail in any way
        return object
    return found if isinstance(found, type) and found.__module__ == module else object
