"""Labels and class numbers: from one to the other and back, and what a class weighs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import compute_sample_weight

from seqpipe.exceptions import DataWarning

__all__ = ["class_labels", "class_numbers", "class_probabilities", "class_weights", "warn_of_unseen"]


def class_numbers(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the place of each label among the sorted classes, shape (n_labels,).

    Raises
    ------
    ValueError
        If a label is none of them.
    """
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(
            f"y has labels that the classifier was not told of: {unknown.tolist()[:10]}; it knows "
            f"{classes.tolist()[:20]}. Name all of them in the first partial_fit(..., classes=)."
        )
    return np.searchsorted(classes, labels).astype(np.int64)


def class_probabilities(classes: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
    """Return probabilities (n, n_classes) from a network's outputs (n, n_outputs), which are two even for one class."""
    return torch.from_numpy(outputs)[:, : len(classes)].softmax(dim=1).numpy()


def class_labels(classes: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
    """Return the most probable label (n,) of each row of a network's outputs (n, n_outputs)."""
    return classes[class_probabilities(classes, outputs).argmax(axis=1)]


def warn_of_unseen(labels: NDArray[Any], classes: NDArray[Any], *, owner: str) -> None:
    """Warn of labels to be scored that the estimator was never fitted to, and can only miss."""
    unseen = np.setdiff1d(labels, classes)
    if len(unseen):
        warnings.warn(
            f"y has labels that {owner} was not fitted to, and that count as missed: {unseen.tolist()[:10]}. "
            "Split with StratifiedKFold, or drop them.",
            DataWarning,
            stacklevel=3,
        )


def class_weights(
    class_weight: Mapping[Any, float] | str,
    labels: NDArray[Any],
    weight: NDArray[np.float64] | None = None,
    *,
    owner: str,
) -> NDArray[np.float64]:
    """Return the weight of each label, shape (n_labels,).

    Parameters
    ----------
    class_weight : mapping or "balanced"
        Weight of each class, 1 for those that it does not name; "balanced" weighs them inversely to their frequency.
    labels : array of shape (n_labels,)
        Labels of any kind.
    weight : array of shape (n_labels,), optional
        How often each label counts in a class's frequency, above 0; once by default.
    owner : str
        The estimator, for errors.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or all are 0.
    """
    if isinstance(class_weight, Mapping):
        weights = np.array(list(class_weight.values()), dtype=float)
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            raise ValueError(
                f"The 'class_weight' parameter of {owner} must give weights from 0, not all 0. "
                f"Got {class_weight!r} instead."
            )
    if isinstance(class_weight, Mapping) or weight is None:
        return np.asarray(compute_sample_weight(class_weight, labels))
    classes, places = np.unique(labels, return_inverse=True)
    frequency = np.bincount(places, weights=weight)
    return np.asarray((frequency.sum() / (len(classes) * frequency))[places])
