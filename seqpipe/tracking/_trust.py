"""Which classes a model may hold: a file from elsewhere must not choose what runs when it is read.

Names are judged by what they stand for: a function of a trusted package can do anything when it is called, and
an estimator's state may get it called.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points

from sklearn.base import BaseEstimator
from torch.optim import Optimizer

from seqpipe.cells import Cell
from seqpipe.plugins import ENTRY_POINT_GROUP
from seqpipe.sequences import Sequences

__all__ = ["foreign_types", "plugins"]

#: What fitted estimators of scikit-learn hold besides arrays and each other.
_DATA_CLASSES = {
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.model_selection._split.TimeSeriesSplit",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
}


def foreign_types(names: Iterable[str]) -> list[str]:
    """Return those names that are no class which scikit-learn, seqpipe or an installed plug-in vouches for."""
    own = {"seqpipe", *(point.module.partition(".")[0] for point in plugins())}
    return [name for name in names if not _is_trusted(name, own)]


def plugins() -> EntryPoints:
    """Return the entry points of installed plug-ins."""
    return entry_points(group=ENTRY_POINT_GROUP)


def _is_trusted(name: str, own: set[str]) -> bool:
    if name in _DATA_CLASSES:
        return True
    package = name.partition(".")[0]
    if package in own:
        return _is_own(_class_called(name))
    if package == "sklearn":
        return issubclass(_class_called(name), BaseEstimator)
    return name.startswith("torch.optim.") and issubclass(_class_called(name), Optimizer)


def _is_own(kind: type) -> bool:
    if dataclasses.is_dataclass(kind):
        return bool(kind.__dataclass_params__.frozen)  # type: ignore[attr-defined]
    return issubclass(kind, (BaseEstimator, Cell, Sequences))


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
