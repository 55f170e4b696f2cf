"""Vectors, with a text for the target of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.testing.estimators._problem import Answers, Problem, Refusal

__all__ = ["CaptionProblem", "writes_captions"]


def writes_captions(estimator: Any) -> bool:
    """Return whether an estimator generates texts from input that is not text."""
    return hasattr(estimator, "predict_n_best")


class CaptionProblem(Problem):
    """Twenty-four vectors, each with the text "even" or "odd"."""

    kinds: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "a list": lambda X: X.tolist(),
        "float32": lambda X: X.astype(np.float32),
        "images": lambda X: X[:, :, None],
    }

    def data(self) -> tuple[Any, list[str]]:
        """Return the vectors (24, 3) and their texts."""
        X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32").astype("float64")
        return X, ["odd" if i % 2 else "even" for i in range(len(X))]

    def answers(self, fitted: Any, X: Any) -> Answers:
        """Return the two best texts of each vector, and their scores."""
        best = fitted.predict_n_best(X, 2)
        return {
            "texts": [[text for text, _ in each] for each in best],
            "scores": [[score for _, score in each] for each in best],
        }

    def pipeline(self) -> Pipeline:
        """Return a Pipeline with a scaler."""
        return Pipeline([("scale", StandardScaler()), ("model", clone(self.estimator))])

    def bad_input(self) -> dict[str, tuple[Any, str]]:
        """Return vectors with values and shapes that are not allowed."""
        X, _ = self.data()
        hole = X.copy()
        hole[3, 1] = np.nan
        return {"NaN": (hole, "NaN"), "no vectors": (X[:0], "0 sample"), "one row": (X[0], "2D")}

    def bad_fits(self) -> dict[str, tuple[Any, Any, str]]:
        """Return one text too few, and none."""
        X, y = self.data()
        return {"one text too few": (X, y[:-1], "number"), "no texts": (X, None, "y to be passed")}

    def missing_targets(self) -> None:
        """Check that a missing text is refused."""
        X, y = self.data()
        Refusal("a missing text", partial(self.fit, X, [*y[:-1], None]), "sample 23").check()
