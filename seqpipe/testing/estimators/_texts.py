"""Texts, with texts for targets where targets are required."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils import get_tags

from seqpipe.testing._report import Skip
from seqpipe.testing.estimators._problem import Answers, Problem, Refusal

__all__ = ["TextProblem", "takes_texts"]


def takes_texts(estimator: Any) -> bool:
    """Return whether the tags of an estimator declare text input."""
    return bool(get_tags(estimator).input_tags.string)


class TextProblem(Problem):
    """Twenty-four short texts; where targets are required, they are the reversed texts."""

    kinds: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "list": list,
        "tuple": tuple,
        "array": np.array,
        "object array": lambda texts: np.array(texts, dtype=object),
        "Series": lambda texts: pd.Series(texts),
        "DataFrame of one column": lambda texts: pd.DataFrame({"text": texts}),
    }

    def data(self) -> tuple[list[str], list[str] | None]:
        """Return the texts, and their targets or None."""
        random = np.random.default_rng(0)
        X = ["".join(random.choice(list("abc"), size=size)) for size in random.integers(1, 6, size=24)]
        return X, [text[::-1] for text in X] if get_tags(self.estimator).target_tags.required else None

    def answers(self, fitted: Any, X: Any) -> Answers:
        """Return probabilities, or predictions if there are none."""
        if hasattr(fitted, "predict_proba"):
            return {"probabilities": list(fitted.predict_proba(X))}
        return {"predictions": list(fitted.predict(X))}

    def bad_input(self) -> dict[str, tuple[Any, str]]:
        """Return input that is not text."""
        X, _ = self.data()
        return {
            "None": ([*X[:3], None, *X[4:]], "sample 3"),
            "a number": ([*X[:3], 5, *X[4:]], "sample 3"),
            "no texts": ([], "0 sample"),
            "numbers": (np.ones((24, 2)), "sample 0"),
        }

    def bad_fits(self) -> dict[str, tuple[Any, Any, str]]:
        """Return an empty text, and one target too few."""
        X, y = self.data()
        return {
            "an empty text": ([*X[:3], "", *X[4:]], y, "sample 3"),
            "one target too few": (X, (y or X)[:-1], "number"),
        }

    def missing_targets(self) -> None:
        """Check that a missing text is refused, if targets are required."""
        X, y = self.data()
        if y is None:
            raise Skip("it requires no targets")
        Refusal("a missing text", partial(self.fit, X, [*y[:-1], None]), "sample 23").check()
