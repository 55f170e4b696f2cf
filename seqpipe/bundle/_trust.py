"""The classes that a saved model may contain: an untrusted file must not determine which code runs on loading.

Names are resolved and checked by what they refer to: a function of a trusted package can do anything when called, and
the state of an estimator may cause a call. Functions are refused, except the metrics of scikit-learn's scorers, which
a search contains. Compiled code that uses indices and sizes from a file without checking them reads or writes
arbitrary memory if they are forged: classes that need such code are refused, although skops trusts most of them.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from typing import Any
from zipfile import ZipFile

import skops.io
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit
from torch.optim import Optimizer

from seqpipe.cells import Cell
from seqpipe.exceptions import BundleError
from seqpipe.plugins import ENTRY_POINT_GROUP
from seqpipe.sequences import Sequences

__all__ = ["check_types", "foreign_types", "plugins", "unchecked_types"]

#: Whose subclasses are trusted: estimators and splitters.
_HOLD_DATA = (BaseEstimator, BaseCrossValidator, BaseShuffleSplit)
#: What fitted estimators of scikit-learn hold besides arrays and each other.
_DATA_CLASSES = {
    "numpy.dtype",
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
    "sklearn.svm.",
    "sklearn.tree.",
)
_PLAIN = {
    "sklearn.neighbors._nearest_centroid.NearestCentroid",
    "sklearn.svm._classes.LinearSVC",
    "sklearn.svm._classes.LinearSVR",
}


def check_types(data: bytes, *, owner: str) -> list[str]:
    """Return the types that must be passed to skops as trusted in a file, for the model called ``owner`` in errors.

    Raises
    ------
    BundleError
        If it holds untrusted types, or types whose contents are not checked.
    """
    found: list[str] = skops.io.get_untrusted_types(data=data)
    if unchecked := unchecked_types(_types_in(data)):
        raise BundleError(
            f"{owner} holds {', '.join(unchecked)}. Compiled code follows the numbers in it without a check, so that a "
            "forged file could crash the process. Replace it by another estimator, or save and load the model yourself."
        )
    if foreign := foreign_types(found):
        scripted = " Move classes of a script or notebook (__main__) to a plug-in: they must be importable on loading."
        raise BundleError(
            f"{owner} holds {', '.join(foreign)}, which is no estimator, cell or data class of scikit-learn, seqpipe or an "
            "installed plug-in. Install the plug-in that it needs, replace it, or save and load the model yourself."
            f"{scripted if any(name.startswith('__main__.') for name in foreign) else ''}"
        )
    return found


def unchecked_types(names: Iterable[str]) -> list[str]:
    """Return those names whose contents compiled code works on without a check."""
    return sorted(name for name in set(names) if name.startswith(_UNCHECKED) and name not in _PLAIN)


def _types_in(data: bytes) -> Iterator[str]:
    """Yield the types that a file names, those that skops trusts among them."""
    with ZipFile(io.BytesIO(data)) as archive:
        nodes: list[Any] = [json.loads(archive.read("schema.json"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, list):
            nodes += node
        elif isinstance(node, dict):
            nodes += node.values()
            yield f"{node.get('__module__')}.{node.get('__class__')}"


def foreign_types(names: Iterable[str]) -> list[str]:
    """Return the names that are not trusted classes of scikit-learn, seqpipe or an installed plug-in."""
    own = {"seqpipe", *(point.module.partition(".")[0] for point in plugins())}
    return [name for name in names if not _is_trusted(name, own)]


def plugins() -> EntryPoints:
    """Return the entry points of installed plug-ins."""
    return entry_points(group=ENTRY_POINT_GROUP)


@cache
def _metrics() -> frozenset[str]:
    """Return the functions that scikit-learn's named scorers call, which compute a number from two arrays."""
    functions = [get_scorer(name)._score_func for name in get_scorer_names()]
    return frozenset(f"{function.__module__}.{function.__qualname__}" for function in functions)


def _is_trusted(name: str, own: set[str]) -> bool:
    if name in _DATA_CLASSES or name in _metrics():
        return True
    package = name.partition(".")[0]
    if package in own:
        return _is_own(_class_called(name))
    if package == "sklearn":
        return issubclass(_class_called(name), _HOLD_DATA)
    return name.startswith("torch.optim.") and issubclass(_class_called(name), Optimizer)


def _is_own(kind: type) -> bool:
    if dataclasses.is_dataclass(kind):
        return bool(kind.__dataclass_params__.frozen)  # type: ignore[attr-defined]
    return issubclass(kind, (*_HOLD_DATA, Cell, Sequences))


def _class_called(name: str) -> type:
    """Return the class that is defined under a name, `object` if there is none."""
    module, _, attribute = name.rpartition(".")
    if module.endswith("__main__"):  # its import would run the program
        return object
    try:
        found = getattr(import_module(module), attribute, None)
    except Exception:  # a module of a plug-in may fail in any way
        return object
    return found if isinstance(found, type) and found.__module__ == module else object
