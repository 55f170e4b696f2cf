"""Ragged and three-dimensional sequences of numbers, with a target per sequence or per time step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from seqpipe.sequences import Sequences
from seqpipe.testing._report import Failure
from seqpipe.testing.estimators._problem import Answers, Problem, Refusal, compare
from seqpipe.transformers import SequenceScaler

__all__ = ["INPUT_KINDS", "SequenceProblem", "takes_several"]

Arrays = list[NDArray[Any]]


def _object_array(arrays: Arrays) -> NDArray[Any]:
    out = np.empty(len(arrays), dtype=object)
    out[:] = arrays
    return out


#: All accepted kinds of ragged sequences of shape (n_timesteps, n_features).
INPUT_KINDS: dict[str, Callable[[Arrays], Any]] = {
    "list": list,
    "tuple": tuple,
    "object array": _object_array,
    "Series": lambda arrays: pd.Series(arrays),
    "DataFrame of one column": lambda arrays: pd.DataFrame({"sequence": arrays}),
    "nested lists": lambda arrays: [array.tolist() for array in arrays],
    "Sequences": Sequences.from_arrays,
}


def takes_several(estimator: Any) -> bool:
    """Return whether the tags of an estimator declare several labels or outputs."""
    tags = get_tags(estimator)
    return bool(tags.target_tags.multi_output or (tags.classifier_tags and tags.classifier_tags.multi_label))


class SequenceProblem(Problem):
    """Forty sequences of two features, and the mean of the first one, or its running mean, as numbers or two classes.

    Parameters
    ----------
    estimator : estimator
        Unfitted; with the parameter ``loss_on`` it has one target per time step.
    several : bool, default=False
        Whether there are two targets: of the mean and of the negative of its square.
    """

    kinds: ClassVar[Mapping[str, Callable[[Any], Any]]] = INPUT_KINDS

    def __init__(self, estimator: Any, *, several: bool = False) -> None:
        super().__init__(estimator)
        self.n_targets = 2 if several else 1
        self.prefix = "With two targets: " if several else ""
        self.by_step = "loss_on" in estimator.get_params(deep=False)

    def data(self) -> tuple[Any, Any]:
        """Return the sequences, a list of arrays, and their targets."""
        rng = np.random.default_rng(0)
        X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 12, size=40)]
        return X, self.targets(X)

    def targets(self, X: Any) -> Any:
        """Return the targets of sequences: numbers, or two classes if the estimator is a classifier."""
        means = [x[:, 0].cumsum() / np.arange(1, len(x) + 1) for x in X]
        if self.n_targets == 2:
            means = [np.stack([mean, -(mean**2)], axis=1) for mean in means]
        numbers = means if self.by_step else np.array([mean[-1] for mean in means])
        if not (is_classifier(self.estimator) or hasattr(self.estimator, "predict_proba")):
            return numbers
        middle = np.median(np.concatenate(numbers) if self.by_step else numbers, axis=0)
        names = (1, 0) if self.n_targets == 2 else ("high", "low")
        labels = [np.where(mean > middle, *names) for mean in numbers]
        return labels if self.by_step else np.array(labels)

    def answers(self, fitted: Any, X: Any) -> Answers:
        """Return predictions and, if there are any, probabilities."""
        found = {"predictions": list(fitted.predict(X))}
        if hasattr(fitted, "predict_proba"):
            found["probabilities"] = list(fitted.predict_proba(X))
        return found

    def splittable(self, X: Any) -> Any:
        """Return `Sequences`."""
        return Sequences.from_arrays(X)

    def pipeline(self) -> Pipeline:
        """Return a Pipeline with a scaler."""
        return Pipeline([("scale", SequenceScaler()), ("model", clone(self.estimator))])

    def three_dimensions(self) -> None:
        """Check that an array gives the predictions of a list, and that one feature, one sequence and other lengths are taken."""
        X = np.random.default_rng(1).normal(size=(40, 6, 2)).astype("float32").astype("float64")
        y = self.targets(X)
        expected = self.answers(self.fit(X, y), X)
        for what, other in (("a list of equal lengths", list(X)), ("float32", X.astype("float32"))):
            found = self.answers(self.fit(other, y), other)
            compare(
                f"A fit to {what}", found, expected, "Convert X with seqpipe.sequences.as_sequences in fit and predict."
            )
        self._check_one_feature(self.fit(X[:, :, :1], y), X[:, :, :1])

    def _check_one_feature(self, one: Any, X: NDArray[Any]) -> None:
        if one.n_features_in_ != 1:
            raise Failure(
                f"n_features_in_ of (n_samples, n_timesteps, 1) is not 1 but {one.n_features_in_}: set it to the size of the "
                "last axis of X in fit."
            )
        wanted = (3 if self.by_step else 1) * self.n_targets
        found = np.size(np.concatenate([np.ravel(each) for each in one.predict(X[:1, :3])]))
        if found != wanted:
            raise Failure(
                f"A single sequence of 3 steps gives {found} predictions instead of {wanted}: lengths may differ from those of fit."
            )

    def bad_input(self) -> dict[str, tuple[Any, str]]:
        """Return sequences with values, shapes and types that are not allowed."""
        X, _ = self.data()
        hole, endless = copy.deepcopy(X), copy.deepcopy(X)
        hole[3][1, 0] = np.nan
        endless[3][1, 0] = np.inf
        return {
            "NaN": (hole, "sample 3, step 1"),
            "infinity": (endless, "sample 3, step 1"),
            "an empty sequence": ([*X[:-1], np.empty((0, 2))], "no time steps"),
            "no sequences": ([], "0 sample"),
            "text": ([*X[:-1], np.array([["a", "b"]])], "real numbers"),
            "complex numbers": ([*X[:-1], np.ones((2, 2)) * 1j], "real numbers"),
            "other features in one sequence": ([*X[:-1], np.ones((2, 3))], "features"),
            "None for a sequence": ([*X[:3], None, *X[4:]], "sample 3"),
            "masked steps": ([*X[:3], np.ma.masked_greater(X[3], X[3].min()), *X[4:]], "sample 3 is a masked array"),
            "times": ([*X[:3], X[3].astype("m8[s]"), *X[4:]], "sample 3 holds times"),
        }

    def bad_fits(self) -> dict[str, tuple[Any, Any, str]]:
        """Return sequences with one target too few."""
        X, y = self.data()
        return {"one target too few": (X, y[:-1], "number")}

    def missing_targets(self) -> None:
        """Check that missing targets raise an error, or, with one per step, are excluded from loss and score."""
        X, y = self.data()
        if self.by_step:
            self._check_missing_steps(X, y)
            return
        hole = np.array(y.tolist(), dtype=object)
        hole[3] = None
        Refusal("a missing target", partial(self.fit, X, hole), "sample 3").check()

    def _check_missing_steps(self, X: Any, y: Any) -> None:
        labels = hasattr(self.fitted, "classes_")
        unknown: Any = None if labels else np.nan
        holes = [np.where((np.arange(len(each)) % 2).reshape(-1, *[1] * (each.ndim - 1)), unknown, each) for each in y]
        model = self.fit(X, holes)
        if not np.isfinite(model.score(X, holes)):
            raise Failure("Missing targets at some steps give no score: leave these steps out of it.")
        if labels and not np.array_equal(model.classes_, self.fitted.classes_):
            raise Failure(
                f"A missing label became a class: {model.classes_} instead of {self.fitted.classes_}: leave it out."
            )
        nothing = [np.full(each.shape, None) for each in y]
        Refusal("a fit without any target", partial(self.fit, X, nothing), "at any time step").check()
        by_name, own = get_scorer("accuracy" if labels else "r2")(self.fitted, X, y), self.fitted.score(X, y)
        if not np.isclose(by_name, own):
            raise Failure(f"scikit-learn's scorer and score differ, {by_name} and {own}: both count all steps alike.")
