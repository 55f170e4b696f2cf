"""What is held out of a fit to see when to stop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from seqpipe.sequences import Sequences, Windows

__all__ = ["validation_split"]


def validation_split(
    X: Sequences | Windows,
    fraction: float,
    *,
    seed: int,
    labels: NDArray[Any] | None = None,
    counted: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return indices to train on and to validate on.

    Sequences are drawn at random, in the labels' proportions; of windows the latest of each series are taken, and those
    before whose target reaches into theirs are left out of both.

    Parameters
    ----------
    X : Sequences or Windows
    fraction : float
        To validate on.
    seed : int
        Of what is drawn.
    labels : array of shape (n_samples,), optional
    counted : array of bool, shape (n_samples,), optional
        Which sequences the loss counts at all: both parts get one.

    Raises
    ------
    ValueError
        If there are too few samples for both.
    """
    n = len(X)
    n_valid = max(1, round(fraction * n))
    if n - n_valid < 1:
        raise ValueError(
            f"early_stopping holds out {n_valid} of {n} samples, which leaves none to train on. "
            "Give more samples, or set early_stopping=False."
        )
    if isinstance(X, Windows):
        return _latest(X, fraction)
    stratify = labels if labels is not None and _can_stratify(labels, n_valid) else None
    train, valid = train_test_split(np.arange(n), test_size=n_valid, random_state=seed, stratify=stratify)
    return (train, valid) if counted is None else _with_counted(train, valid, counted)


def _with_counted(
    train: NDArray[np.int64], valid: NDArray[np.int64], counted: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Exchange one sequence where all that the loss counts came to lie in one part."""
    if counted.sum() < 2:
        raise ValueError(
            f"early_stopping needs two sequences or more that have steps which loss_on chooses, to train on and to hold "
            f"out. Got {counted.sum()} of {len(counted)}: give more of them, choose other steps, or set early_stopping=False."
        )
    for lacking, other in ((train, valid), (valid, train)):
        if not counted[lacking].any():
            first = np.flatnonzero(counted[other])[0]
            lacking[0], other[first] = other[first], lacking[0]
    return train, valid


def _latest(X: Windows, fraction: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    parts = [_latest_of_one(X, np.flatnonzero(X.series == series), fraction) for series in np.unique(X.series)]
    train = np.concatenate([part[0] for part in parts])
    valid = np.concatenate([part[1] for part in parts])
    n_valid = len(valid)
    if not len(train):
        raise ValueError(
            f"early_stopping leaves no window to train on: all overlap the {n_valid} held out. "
            "Give a longer series, or set early_stopping=False."
        )
    return np.sort(train), np.sort(valid)


def _latest_of_one(
    X: Windows, indices: NDArray[np.int64], fraction: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split the windows of one series: the latest, and those before whose target ends before theirs begins."""
    order = indices[np.argsort(X.starts[indices], kind="stable")]
    n_valid = max(1, round(fraction * len(order)))
    train, valid = order[:-n_valid], order[-n_valid:]
    return train[X.starts[train] + X.horizon <= X.starts[valid].min()], valid


def _can_stratify(labels: NDArray[Any], n_valid: int) -> bool:
    _, counts = np.unique(labels, return_counts=True)
    return bool(counts.min() >= 2 and n_valid >= len(counts) and len(labels) - n_valid >= len(counts))
