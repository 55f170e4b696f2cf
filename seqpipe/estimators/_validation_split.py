"""Split into training and validation data for early stopping."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from seqpipe.estimators._overlap import overlap_reach
from seqpipe.sequences import Sequences, Windows

__all__ = ["validation_split"]

#: Fraction of samples to validate on; of few samples a larger one, for this number of them, up to another fraction.
_USUAL, _ENOUGH, _MOST = 0.1, 60, 0.2

#: Number of stretches of overlapping windows that are held out.
_STRETCHES = 4


def validation_split(
    X: Sequences | Windows,
    fraction: str | float,
    *,
    seed: int,
    labels: NDArray[Any] | None = None,
    counted: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of training and validation samples.

    Sequences are split at random, stratified by labels; if they are overlapping windows of longer series, stretches of
    consecutive ones are held out, and those next to them are in neither part. Of `Windows`, the latest of each series are
    held out; earlier ones whose target overlaps with those are in neither part.

    Parameters
    ----------
    X : Sequences or Windows
        Samples to split.
    fraction : float or "auto"
        Fraction of validation samples; "auto" is a tenth, of fewer than 600 samples up to a fifth.
    seed : int
        Seed of the random split.
    labels : array of shape (n_samples,), optional
        Labels for stratification.
    counted : array of bool, shape (n_samples,), optional
        Mask of sequences that contribute to the loss, of which each part has at least one.

    Raises
    ------
    ValueError
        If there are too few samples for two parts.
    """
    n = len(X)
    fraction = _auto_fraction(n) if fraction == "auto" else float(fraction)
    n_valid = max(1, round(fraction * n))
    if n - n_valid < 1:
        raise ValueError(
            f"early_stopping holds out {n_valid} of {n} samples, which leaves none for training. "
            "Pass more samples, or set early_stopping=False."
        )
    if isinstance(X, Windows):
        return _latest(X, fraction)
    reach = overlap_reach(X)
    if reach and counted is None:
        return _stretches(n, n_valid, reach, seed)
    stratify = labels if labels is not None and _can_stratify(labels, n_valid) else None
    train, valid = train_test_split(np.arange(n), test_size=n_valid, random_state=seed, stratify=stratify)
    return (train, valid) if counted is None else _with_counted(train, valid, counted)


def _auto_fraction(n_samples: int) -> float:
    """Return a fraction that gives enough validation samples."""
    return min(_MOST, max(_USUAL, _ENOUGH / n_samples))


def _stretches(n: int, n_valid: int, reach: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold out stretches of consecutive samples, at random places in equal parts of the data.

    A purged split (López de Prado, 2018, Advances in Financial Machine Learning, section 7.4.1): samples within ``reach``
    of a stretch are in neither part, but on either side at most as many as are held out.
    """
    random = np.random.default_rng(seed)
    size = max(1, n_valid // _STRETCHES)
    reach = min(reach, size)
    edges = np.linspace(0, n, _STRETCHES + 1).astype(np.int64)
    starts = [random.integers(a, b - size + 1) for a, b in pairwise(edges)]
    distance = np.min([np.maximum(start - np.arange(n), np.arange(n) - start - size + 1) for start in starts], axis=0)
    return np.flatnonzero(distance > reach), np.flatnonzero(distance <= 0)


def _with_counted(
    train: NDArray[np.int64], valid: NDArray[np.int64], counted: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Exchange one sequence if all sequences that contribute to the loss are in one part."""
    if counted.sum() < 2:
        raise ValueError(
            "early_stopping requires at least two sequences with steps selected by loss_on, one of which is held out. "
            f"Got {counted.sum()} of {len(counted)}: pass more of them, select other steps, or set "
            "early_stopping=False."
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
            f"early_stopping leaves no window for training: all overlap with the {n_valid} held out. "
            "Pass a longer series, or set early_stopping=False."
        )
    return np.sort(train), np.sort(valid)


def _latest_of_one(
    X: Windows, indices: NDArray[np.int64], fraction: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split the windows of one series: hold out the latest, and train on those whose target ends before them."""
    order = indices[np.argsort(X.starts[indices], kind="stable")]
    n_valid = max(1, round(fraction * len(order)))
    train, valid = order[:-n_valid], order[-n_valid:]
    return train[X.starts[train] + X.horizon <= X.starts[valid].min()], valid


def _can_stratify(labels: NDArray[Any], n_valid: int) -> bool:
    _, counts = np.unique(labels, return_counts=True)
    return bool(counts.min() >= 2 and n_valid >= len(counts) and len(labels) - n_valid >= len(counts))
