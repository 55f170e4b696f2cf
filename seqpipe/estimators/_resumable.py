"""`resumable`: searches, cross-validation and ensembles of scikit-learn whose fits continue after an interruption."""

from __future__ import annotations

import copy
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, clone

from seqpipe.exceptions import CheckpointError
from seqpipe.training import Checkpoint, kept_value

__all__ = ["resumable"]

Estimator = TypeVar("Estimator", bound=BaseEstimator)

#: Parameters of searches with values of other parameters.
_GRIDS = ("param_grid", "param_distributions")


def resumable(estimator: Estimator, folder: str | os.PathLike[str], **settings: Any) -> Estimator:
    """Return a copy of a search, or of another estimator with several fits, that continues after an interruption.

    Each fit of an estimator of seqpipe inside writes checkpoints to a folder of its own in ``folder``, named by its
    settings and data. The rungs of a halving search with ``resource="max_epochs"`` continue the fits of the rung before, unless
    their learning rate depends on the number of epochs, as by default. When the same search is fitted again, in the same
    process or another, fits that were finished are restored, those that were interrupted continue, and the results equal
    those of an uninterrupted search. Estimators of other libraries are fitted again.

    Parameters
    ----------
    estimator : estimator
        `GridSearchCV`, `RandomizedSearchCV`, a halving search, or any other estimator with estimators of seqpipe inside;
        for `cross_validate` and the like, the estimator that is passed to it.
    folder : str or path
        Folder of the checkpoints; created if it does not exist. Delete it when it is no longer needed.
    **settings
        Other parameters of `Checkpoint`.

    Returns
    -------
    resumable : estimator
        A clone. Random numbers of the search and its splitter that have no seed get one, which is kept in the folder.

    Raises
    ------
    ValueError
        If there is no estimator of seqpipe inside.
    CheckpointError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from seqpipe import SequenceClassifier, resumable
    >>> X = np.random.default_rng(0).normal(size=(30, 8, 1))
    >>> y = X.sum(axis=(1, 2)) > 0
    >>> classifier = SequenceClassifier(max_epochs=2, random_state=0)
    >>> folder = tempfile.mkdtemp()
    >>> search = resumable(GridSearchCV(classifier, {"cell": ["gru", "lstm"]}, cv=2), folder)
    >>> first = search.fit(X, y)
    >>> again = resumable(GridSearchCV(classifier, {"cell": ["gru", "lstm"]}, cv=2), folder).fit(X, y)  # trains nothing
    >>> bool((again.cv_results_["mean_test_score"] == first.cv_results_["mean_test_score"]).all())
    True
    """
    checkpoint = Checkpoint(folder, shared=True, **settings)
    copied = _with_checkpoints(clone(estimator), checkpoint)
    for name in _GRIDS:
        if hasattr(copied, name):
            setattr(copied, name, _values_with_checkpoints(getattr(copied, name), checkpoint))
    found = [value for name, value in copied.get_params().items() if name.split("__")[-1] == "checkpoint"]
    if not found and not _estimators_in([getattr(copied, name, None) for name in _GRIDS]):
        raise ValueError(
            f"{type(estimator).__name__} holds no estimator of seqpipe, so that nothing in it can be resumed. Pass a search "
            "or a pipeline with one inside; where it is a default, such as that of Forecaster, pass it by name."
        )
    _seed(copied, checkpoint.path)
    return copied


def _with_checkpoints(estimator: Any, checkpoint: Checkpoint) -> Any:
    names = [name for name in estimator.get_params() if name.split("__")[-1] == "checkpoint"]
    return estimator.set_params(**dict.fromkeys(names, checkpoint))


def _values_with_checkpoints(value: Any, checkpoint: Checkpoint) -> Any:
    """Return the values of a grid, with checkpoints in estimators among them."""
    if isinstance(value, BaseEstimator):
        return _with_checkpoints(clone(value), checkpoint)
    if isinstance(value, Mapping):
        return {name: _values_with_checkpoints(each, checkpoint) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_values_with_checkpoints(each, checkpoint) for each in value)
    return value


def _estimators_in(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [found for each in value for found in _estimators_in(each)]
    return [value] if hasattr(value, "checkpoint") else []


def _seed(estimator: Any, folder: Path) -> None:
    """Give the search and its splitter seeds that are kept in the folder, if they have none."""
    seeds = np.random.SeedSequence(_kept_seed(folder)).generate_state(2).tolist()
    if getattr(estimator, "random_state", 0) is None and hasattr(estimator, "estimator"):
        estimator.random_state = seeds[0]
    splitter = getattr(estimator, "cv", None)
    if getattr(splitter, "random_state", 0) is None and getattr(splitter, "shuffle", True):
        estimator.cv = copy.copy(splitter)
        estimator.cv.random_state = seeds[1]


def _kept_seed(folder: Path) -> int:
    try:
        return int(kept_value(folder, "seed", lambda: secrets.randbits(31)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"The folder {str(folder)!r} cannot hold checkpoints: {error}. Choose another folder."
        ) from error
