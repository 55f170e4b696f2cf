"""Setting of the parameters in a recipe on an estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sklearn.base import BaseEstimator

from seqpipe.exceptions import UnknownNameError, did_you_mean

__all__ = ["configured", "last_step"]


def configured(
    estimator: BaseEstimator, params: Mapping[str, Any], *, task: str, inner: Callable[[str], str] = str
) -> BaseEstimator:
    """Set parameters on a new estimator and return it.

    Parameters
    ----------
    estimator : estimator
        Changed in place.
    params : mapping of str to value
        Parameters by their names in a recipe; ``net__…`` is validated by the estimator.
    task : str
        Name of the task in error messages.
    inner : callable
        Maps the name of a parameter in a recipe to that of the estimator.

    Raises
    ------
    UnknownNameError
        If the estimator has no such parameter.
    """
    known = sorted(estimator.get_params())
    for name in params:
        if inner(name) not in known and "__" not in name:
            short = sorted({own.rpartition("__")[2] for own in known})
            raise UnknownNameError(
                f"The task {task!r} has no parameter {name!r}.{did_you_mean(name, short)} It has {', '.join(short)}."
            )
    return estimator.set_params(**{inner(name): value for name, value in params.items()})


def last_step(estimator: Any) -> Any:
    """Return the final estimator of a search or a Pipeline, or the estimator itself."""
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
