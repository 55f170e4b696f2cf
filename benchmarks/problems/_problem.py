"""Problems: named, seeded data of four kinds, each with a score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

__all__ = ["Array", "ForecastProblem", "Problem", "SampleProblem", "Samples", "Series", "forecast", "problem", "split"]

Array = NDArray[Any]
Kind = Literal["classification", "regression", "step classification", "step regression"]
#: Sizes of tiny data: sequences, classes, time steps of a sequence, time steps of a series.
_TINY_SAMPLES, _TINY_CLASSES, _TINY_STEPS, _TINY_SERIES = 12, 2, 48, 72


@dataclass(frozen=True)
class Samples:
    """Training and held-out sequences: arrays (n_samples, n_timesteps, n_features), or lists of them if ragged.

    Targets have shape (n_samples,); if there is one per time step, (n_samples, n_timesteps), or lists if ragged.
    """

    X_train: Any
    y_train: Any
    X_test: Any
    y_test: Any

    def tiny(self) -> Samples:
        """Return a few sequences, cut to a few steps: they run everywhere and say nothing."""
        if np.ndim(self.y_train[0]):  # one target per time step
            return Samples(*(_cut(part) for part in (self.X_train, self.y_train, self.X_test, self.y_test)))
        rows, test_rows = (_few(y, self.y_train) for y in (self.y_train, self.y_test))
        X_train, X_test = _cut(_take(self.X_train, rows)), _cut(_take(self.X_test, test_rows))
        return Samples(X_train, self.y_train[rows], X_test, self.y_test[test_rows])


@dataclass(frozen=True)
class Series:
    """One series (n_timesteps,), or several (n_timesteps, n_series), and the time steps that follow it.

    Parameters
    ----------
    train, future
        The known and the held-out rows.
    period
        Length of the season in time steps; 1 if there is none.
    """

    train: Array
    future: Array
    period: int = 1

    def tiny(self) -> Series:
        """Return the oldest rows only: those to forecast are known rows, so that nothing of the future is seen."""
        n = min(_TINY_SERIES, len(self.train) - len(self.future))
        return Series(self.train[:n], self.train[n : n + len(self.future)], self.period)


@dataclass(frozen=True)
class Problem:
    """Function of a seed that returns data, with its name, kind and score.

    Parameters
    ----------
    kind
        "classification" or "regression" of whole sequences, the same of each time step, or "forecast".
    score
        "accuracy", "balanced accuracy", "R²" or "MASE" (mean absolute scaled error: lower is better).
    needs
        Module that provides the data, if it is no dependency of seqpipe.
    seeded
        Whether the data depends on the seed.
    """

    make: Callable[[int], Any]
    kind: str
    score: str
    needs: str | None = None
    seeded: bool = True

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.make.__name__

    @property
    def description(self) -> str:
        """Docstring of the function."""
        return self.make.__doc__ or ""

    @property
    def is_regression(self) -> bool:
        """Whether the targets are numbers."""
        return self.score == "R²"

    @property
    def is_available(self) -> bool:
        """Whether the module with the data is installed."""
        return self.needs is None or find_spec(self.needs) is not None


@dataclass(frozen=True)
class SampleProblem(Problem):
    """Problem whose data are `Samples`."""

    def __call__(self, seed: int) -> Samples:
        """Return the data of this seed."""
        data: Samples = self.make(seed)
        return data


@dataclass(frozen=True)
class ForecastProblem(Problem):
    """Problem whose data are `Series`."""

    def __call__(self, seed: int) -> Series:
        """Return the data of this seed."""
        data: Series = self.make(seed)
        return data


def problem(kind: Kind, score: str, *, seeded: bool = True) -> Callable[[Callable[[int], Samples]], SampleProblem]:
    """Return a decorator that makes a problem of a function which returns samples."""
    return lambda make: SampleProblem(make, kind, score, seeded=seeded)


def forecast(*, needs: str | None = None) -> Callable[[Callable[[int], Series]], ForecastProblem]:
    """Return a decorator that makes a problem of a function which returns series."""
    return lambda make: ForecastProblem(make, "forecast", "MASE", needs=needs)


def split(X: Any, y: Any, n_train: int, seed: int, *, stratify: bool = False) -> Samples:
    """Split at random into ``n_train`` training samples and held-out samples, stratified by class if requested."""
    parts = train_test_split(X, y, train_size=n_train, random_state=seed, stratify=y if stratify else None)
    return Samples(parts[0], parts[2], parts[1], parts[3])


def _few(y: Array, y_train: Array) -> Array:
    """Return the indices of a few samples; of two classes, if there are classes."""
    if y.dtype.kind == "f":
        return np.arange(min(len(y), _TINY_SAMPLES))
    classes = np.unique(y_train)[:_TINY_CLASSES]
    return np.concatenate([np.flatnonzero(y == c)[: _TINY_SAMPLES // _TINY_CLASSES] for c in classes])


def _take(X: Any, rows: Array) -> Any:
    return X[rows] if isinstance(X, np.ndarray) else [X[i] for i in rows]


def _cut(X: Any) -> Any:
    few = X[:_TINY_SAMPLES]
    return few[:, :_TINY_STEPS] if isinstance(X, np.ndarray) and X.ndim > 1 else [x[:_TINY_STEPS] for x in few]
