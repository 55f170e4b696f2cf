"""`Labels`: one class label per row."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from seqpipe.estimators._input import check_labels
from seqpipe.estimators._step_targets import check_step_labels
from seqpipe.estimators.targets._codec import TargetCodec
from seqpipe.exceptions import DataWarning
from seqpipe.networks import averaged_logits
from seqpipe.saved import ArrayOf, Schema
from seqpipe.sequences import Sequences, Windows

__all__ = ["Labels", "class_numbers", "log_frequencies", "warn_of_unseen"]


@dataclass(frozen=True)
class Labels(TargetCodec):
    """Class labels: integers or strings.

    Attributes
    ----------
    classes : array of shape (n_classes,)
        The labels, sorted.
    """

    classes: NDArray[Any]

    criterion: ClassVar[type[torch.nn.Module]] = torch.nn.CrossEntropyLoss
    numbers_classes: ClassVar[bool] = True
    _saved: ClassVar[dict[str, Schema]] = {"classes": ArrayOf("biufmMUO", 1)}

    @staticmethod
    def read(y: Any, n_samples: int, *, owner: str) -> NDArray[Any]:
        """Validate labels; return them in shape (n_samples,)."""
        return check_labels(y, n_samples)

    @staticmethod
    def read_steps(rows: NDArray[Any], X: Sequences | Windows, *, owner: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Validate labels; return them in shape (total_steps,), and a mask of known ones."""
        return check_step_labels(rows, X, owner=owner)

    @classmethod
    def of(cls, values: NDArray[Any], *, classes: Any = None, ndim: int = 1) -> Labels:
        """Return the codec of the given labels, or of ``classes`` if given."""
        check_classification_targets(values)
        return cls(ndim, np.unique(values if classes is None else classes))

    @property
    def n_outputs(self) -> int:
        """Number of classes, at least two."""
        return max(2, len(self.classes))

    def encode(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return the class index of each label, shape (n_rows,)."""
        return class_numbers(values, self.classes)

    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the most probable labels."""
        labels: NDArray[Any] = self.classes[self.probabilities(outputs).argmax(axis=1)]
        return labels if self.ndim == 1 else labels[:, None]

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the probability of each class, shape (n_rows, n_classes)."""
        return torch.from_numpy(outputs)[:, : len(self.classes)].softmax(dim=1).numpy()

    def _average(self, outputs: list[NDArray[Any]]) -> NDArray[Any]:
        return averaged_logits([torch.from_numpy(each) for each in outputs]).numpy()

    def decisions(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return one logit per class, shape (n_rows, n_classes); for two classes the log-odds of the second, (n_rows,)."""
        if len(self.classes) == 2:
            return np.asarray(outputs[:, 1] - outputs[:, 0])
        return outputs[:, : len(self.classes)]

    def constant(self, encoded: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logarithms of the weighted class frequencies."""
        return log_frequencies(encoded, weight, self.n_outputs)

    def score(self, values: NDArray[Any], outputs: NDArray[Any], weight: NDArray[Any] | None, *, owner: str) -> float:
        """Return the accuracy; warn if labels are not among the classes."""
        warn_of_unseen(values, self.classes, owner=owner)
        return float(accuracy_score(values, self.decode(outputs).reshape(-1), sample_weight=weight))

    def weights_by_label(
        self,
        class_weight: Any,
        values: NDArray[Any],
        weight: NDArray[np.float64] | None,
        *,
        owner: str,
    ) -> Callable[[NDArray[Any]], NDArray[np.float64]] | None:
        """Return a function that maps labels to their weights, or None without class weights.

        Parameters
        ----------
        class_weight : mapping, "balanced" or None
            Weight of each class, by default 1; "balanced" uses weights inversely proportional to class frequencies.
        values : array of shape (n_rows,)
            Labels to train on.
        weight : array of shape (n_rows,), optional
            Weights of the rows, above 0.
        owner : str
            Name of the estimator, for error messages.

        Raises
        ------
        ValueError
            If a weight is negative or not finite, or all are 0.
        """
        if class_weight is None:
            return None
        _check_class_weight(class_weight, owner)
        by_row = _row_weights(class_weight, values, weight)
        if not by_row.any():
            raise ValueError(
                f"The 'class_weight' parameter of {owner} must give at least one label of y a weight above 0. "
                f"Got {class_weight!r} instead."
            )
        by_class = np.ones(len(self.classes))
        by_class[self.encode(values)] = by_row
        return lambda labels: by_class[self.encode(labels)]


def _check_class_weight(class_weight: Any, owner: str) -> None:
    if isinstance(class_weight, str):
        return
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            f"The 'class_weight' parameter of {owner} must be a dict or 'balanced' for one label per row; a list is for "
            f"multi-label targets. Got {class_weight!r} instead."
        )
    weights = np.array(list(class_weight.values()), dtype=float)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError(
            f"The 'class_weight' parameter of {owner} must have finite weights >= 0, at least one of them above 0. "
            f"Got {class_weight!r} instead."
        )


def _row_weights(class_weight: Any, labels: NDArray[Any], weight: NDArray[np.float64] | None) -> NDArray[np.float64]:
    if isinstance(class_weight, Mapping) or weight is None:
        return np.asarray(compute_sample_weight(class_weight, labels))
    classes, places = np.unique(labels, return_inverse=True)
    frequency = np.bincount(places, weights=weight)
    return np.asarray((frequency.sum() / (len(classes) * frequency))[places])


def log_frequencies(numbers: NDArray[Any], weight: NDArray[Any], n_numbers: int) -> NDArray[np.float64]:
    """Return the logarithm of the weighted frequency of each number below ``n_numbers``; -inf for absent ones."""
    counts = np.bincount(numbers.reshape(-1).astype(np.int64), weights=weight, minlength=n_numbers)
    with np.errstate(divide="ignore"):
        return np.log(counts / counts.sum())


def class_numbers(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the index of each label in the sorted classes, shape (n_labels,).

    Raises
    ------
    ValueError
        If a label is not among the classes.
    """
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(
            f"y contains labels that are not among the classes of the first fit: {unknown.tolist()[:10]}; the classes "
            f"are {classes.tolist()[:20]}. Pass all labels as classes in the first call of partial_fit."
        )
    return np.searchsorted(classes, labels).astype(np.int64)


def warn_of_unseen(labels: NDArray[Any], classes: NDArray[Any], *, owner: str) -> None:
    """Warn if labels to be scored were not seen in fit, and can never be predicted."""
    unseen = np.setdiff1d(labels, classes)
    if len(unseen):
        warnings.warn(
            f"y contains labels that {owner} has not seen in fit, which count as errors: {unseen.tolist()[:10]}. "
            "Split with StratifiedKFold, or drop these labels.",
            DataWarning,
            stacklevel=4,
        )
