"""Checks of the data, the estimator, the split and the folds of a task."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from seqpipe.testing._report import Failure, told
from seqpipe.testing._samples import keys_of
from seqpipe.testing.tasks._subject import TaskSubject, naming_the_method

__all__ = ["PARTS"]


def data_is_read_and_fitted(subject: TaskSubject) -> None:
    """The table becomes data, which is split, and the estimator is fitted to the training part."""
    with naming_the_method():
        try:
            if not len(subject.data().X):
                raise Failure("from_table() returns data without a sample: return one per sequence of the table.")
            subject.fitted.predict(subject.test.X)
        except (TypeError, ValueError) as error:
            raise Failure(f"The estimator of the task is not fitted to its data: {told(error)}.") from error


def estimator_follows_scikit_learn(subject: TaskSubject) -> None:
    """The estimator is a new one in each call, can be cloned and has the parameters that it is given."""
    with naming_the_method():
        estimator = subject.estimator()
        if subject.estimator() is estimator:
            raise Failure("estimator() returns the same object twice: create a new one in each call.")
        try:
            copied = clone(estimator)
        except Exception as error:
            raise Failure(
                f"clone() fails: {told(error)}. __init__ must assign its arguments as they are, and nothing else."
            ) from error
        for name, value in subject.params.items():
            _check_parameter(subject, copied, name, value)


def _check_parameter(subject: TaskSubject, estimator: Any, name: str, value: Any) -> None:
    inner = subject.task.parameter(name)
    found = estimator.get_params()
    if inner not in found:
        raise Failure(
            f"The parameter {name!r} is {inner!r} of the estimator, which has none of this name: let parameter({name!r}) "
            "return the name that get_params() has, such as 'model__lr'."
        )
    if not _equal(found[inner], value):
        raise Failure(f"estimator({{{name!r}: {value!r}}}) has {inner}={found[inner]!r}: pass the parameters on.")
    if not _equal(clone(estimator).set_params(**{inner: value}).get_params()[inner], value):
        raise Failure(f"set_params({inner}={value!r}) does not set it: assign it in __init__ under its own name.")


def _equal(one: Any, other: Any) -> bool:
    return one is other or bool(np.all(one == other))


def split_keeps_every_sample(subject: TaskSubject) -> None:
    """Each sample, with its target, is in exactly one part; an int test_size is the number held out; a seed repeats."""
    with naming_the_method():
        whole, size = subject.data(), max(2, round(len(subject.data().X) / 5))
        for given in (0.25, size):
            train, test = subject.split(test_size=given)
            _check_parts(
                f"test_size={given}",
                Counter(keys_of(whole.X, whole.y)),
                keys_of(train.X, train.y),
                keys_of(test.X, test.y),
            )
            if isinstance(given, int) and len(test.X) != size * _n_series(whole.X):
                raise Failure(f"test_size={given} holds {len(test.X)} samples out: an int is the number of samples.")
        again = subject.split(test_size=size)
        if [keys_of(part.X, part.y) for part in again] != [keys_of(part.X, part.y) for part in (train, test)]:
            raise Failure("split() with the same seed gives other parts: draw random numbers from seed alone.")


def _check_parts(said: str, whole: Counter[Any], *parts: list[Any]) -> None:
    found = Counter(key for part in parts for key in part)
    if lost := whole - found:
        raise Failure(
            f"With {said} {lost.total()} of {whole.total()} samples, or their targets, are in neither part: split X and y "
            "by the same rows, and let each be in one part."
        )
    if double := found - whole:
        raise Failure(f"With {said} {double.total()} samples are in both parts, or changed: let each be in one part.")
    if not all(parts):
        raise Failure(f"With {said} one part is empty: a float is a share of the samples, an int is a number of them.")


def _n_series(X: Any) -> int:
    """Return the number of series of a panel, each of which is split; 1 for other data."""
    index = getattr(X, "index", None)
    return index.get_level_values(0).nunique() if isinstance(index, pd.MultiIndex) else 1


def folds_are_disjoint(subject: TaskSubject) -> None:
    """There are n_splits folds, whose test samples are in no other fold's test part and not in their own training part."""
    with naming_the_method():
        train = subject.train
        splitter = subject.task.cv(subject.estimator(), train, n_splits=3, seed=0)
        folds = list(splitter.split(train.X, train.y))
    if len(folds) != 3:
        raise Failure(f"cv(n_splits=3) gives {len(folds)} folds: create the splitter with n_splits.")
    tested: set[int] = set()
    for i, (fit, test) in enumerate(folds):
        if shared := set(fit.tolist()) & set(test.tolist()):
            raise Failure(
                f"Fold {i} is fitted to sample {min(shared)}, which it is tested on: use a splitter such as KFold."
            )
        if repeated := tested & set(test.tolist()):
            raise Failure(
                f"Fold {i} tests sample {min(repeated)}, as an earlier fold does: test sets must be disjoint."
            )
        tested |= set(test.tolist())


PARTS = (
    data_is_read_and_fitted,
    estimator_follows_scikit_learn,
    split_keeps_every_sample,
    folds_are_disjoint,
)
