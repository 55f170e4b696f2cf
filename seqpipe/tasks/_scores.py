"""Metrics of predicted labels and numbers."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    recall_score,
    root_mean_squared_error,
)

from seqpipe.exceptions import DataWarning

__all__ = ["indicator_scores", "label_scores", "number_scores"]


def label_scores(
    truth: NDArray[np.generic],
    predicted: NDArray[np.generic],
    classes: NDArray[np.generic],
    probabilities: NDArray[np.floating],
) -> dict[str, float]:
    """Return accuracy, balanced_accuracy, f1_macro and log_loss.

    Classes not seen during fit count as errors, with a `DataWarning` that names them.

    Parameters
    ----------
    truth, predicted : arrays of shape (n,)
        Labels.
    classes : array of shape (n_classes,)
        Classes seen during fit.
    probabilities : array of shape (n, n_classes)
        Predicted probability of each class.
    """
    labels, completed = _with_unseen(truth, classes, probabilities)
    present = np.unique(truth)
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "balanced_accuracy": float(recall_score(truth, predicted, labels=present, average="macro", zero_division=0)),
        "f1_macro": float(f1_score(truth, predicted, average="macro", zero_division=0)),
        "log_loss": float(log_loss(truth, completed, labels=labels)),
    }


def indicator_scores(truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> dict[str, float]:
    """Return accuracy, f1_macro and f1_micro of label indicators of shape (n, n_labels).

    Accuracy is the fraction of rows whose labels are all correct.
    """
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "f1_macro": float(f1_score(truth, predicted, average="macro", zero_division=0)),
        "f1_micro": float(f1_score(truth, predicted, average="micro", zero_division=0)),
    }


def number_scores(truth: NDArray[np.floating], predicted: NDArray[np.floating]) -> dict[str, float]:
    """Return r2, mae and rmse of numbers (n,) or (n, n_outputs), averaged over outputs if there are several."""
    return {
        "r2": float(r2_score(truth, predicted)),
        "mae": float(mean_absolute_error(truth, predicted)),
        "rmse": float(root_mean_squared_error(truth, predicted)),
    }


def _with_unseen(
    truth: NDArray[np.generic], classes: NDArray[np.generic], probabilities: NDArray[np.floating]
) -> tuple[NDArray[np.generic], NDArray[np.floating]]:
    """Add classes not seen during fit, with probability zero, in sorted order."""
    unseen = np.setdiff1d(truth, classes)
    if not len(unseen):
        return classes, probabilities
    warnings.warn(
        f"The classes {unseen.tolist()} were not in the training data; each of their samples counts as an error.",
        DataWarning,
        stacklevel=4,
    )
    labels = np.concatenate([classes, unseen])
    order = np.argsort(labels)
    return labels[order], np.pad(probabilities, ((0, 0), (0, len(unseen))))[:, order]
