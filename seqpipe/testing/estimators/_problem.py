"""The data that an estimator is checked with, and what its checks compare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from seqpipe.testing._report import Failure, Skip

__all__ = ["Answers", "Problem", "Refusal", "compare"]

#: What an estimator answers to sequences, such as predictions and probabilities: one value per sequence.
Answers = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Refusal:
    """A call that must raise a ValueError with the given words.

    Attributes
    ----------
    what : str
        What the call does.
    call : callable ()
    words : str
        What the message must contain.
    """

    what: str
    call: Callable[[], Any]
    words: str

    def check(self) -> None:
        """Raise `Failure` if the call succeeds, or the message does not have the words."""
        try:
            self.call()
        except ValueError as error:
            if self.words not in str(error):
                raise Failure(
                    f"{self.what}: the error message does not contain {self.words!r}: {error}. Say what is wrong, and where."
                ) from error
            return
        raise Failure(f"{self.what} does not raise an error: raise a ValueError that says {self.words!r}.")


class Problem(ABC):
    """Data for an estimator; subclasses define it for one kind of input.

    Parameters
    ----------
    estimator : estimator
        Unfitted.
    """

    #: All accepted kinds of input, each made from the X of `data`.
    kinds: ClassVar[Mapping[str, Callable[[Any], Any]]]
    #: Begins messages: what is special about the targets.
    prefix: str = ""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    @abstractmethod
    def data(self) -> tuple[Any, Any]:
        """Return X and y, always with the same values, in objects that may be changed."""

    @abstractmethod
    def answers(self, fitted: Any, X: Any) -> Answers:
        """Return what a fitted estimator answers."""

    @abstractmethod
    def bad_input(self) -> dict[str, tuple[Any, str]]:
        """Return input that fit and predict must refuse, and words of the error, by what is wrong with it."""

    @abstractmethod
    def bad_fits(self) -> dict[str, tuple[Any, Any, str]]:
        """Return X and y that fit must refuse, and words of the error, by what is wrong with them."""

    @abstractmethod
    def missing_targets(self) -> None:
        """Check what a fit does if some targets are missing."""

    def three_dimensions(self) -> None:
        """Check input of shape (n_samples, n_timesteps, n_features)."""
        raise Skip("its input is not sequences of numbers")

    def splittable(self, X: Any) -> Any:
        """Return X as it is given to a search."""
        return X

    def pipeline(self) -> Pipeline:
        """Return a Pipeline whose last step is "model"."""
        return Pipeline([("model", clone(self.estimator))])

    @cached_property
    def fitted(self) -> Any:
        """The estimator, fitted to the data."""
        return self.fit(*self.data())

    @cached_property
    def expected(self) -> Answers:
        """What the fitted estimator answers to the data."""
        return self.answers(self.fitted, self.data()[0])

    def fit(self, X: Any, y: Any) -> Any:
        """Return a clone of the estimator, fitted."""
        return clone(self.estimator).fit(X, y)

    def refusals(self) -> Iterator[Refusal]:
        """Yield the calls that must raise errors."""
        _, y = self.data()
        for what, (X, words) in self.bad_input().items():
            yield Refusal(f"fit with {what}", partial(self.fit, X, None if y is None else y[: len(X)]), words)
            yield Refusal(f"predict with {what}", partial(self.fitted.predict, X), words)
        for what, (X, y_bad, words) in self.bad_fits().items():
            yield Refusal(f"fit with {what}", partial(self.fit, X, y_bad), words)


def compare(what: str, found: Answers, expected: Answers, remedy: str, *, exact: bool = False) -> None:
    """Raise `Failure` for the first sample for which answers differ, by more than a tolerance unless ``exact``."""
    for part, wanted in expected.items():
        if len(found[part]) != len(wanted):
            raise Failure(f"{what}: {len(found[part])} {part} instead of {len(wanted)}. {remedy}")
        for i, (one, other) in enumerate(zip(found[part], wanted)):
            if not _equal(np.asarray(one), np.asarray(other), exact):
                raise Failure(
                    f"{what}: the {part} of sample {i} differ, {one!s:.60} instead of {other!s:.60}. {remedy}"
                )


def _equal(one: Any, other: Any, exact: bool) -> bool:
    if one.shape != other.shape:
        return False
    if exact or other.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    return bool(np.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True))
