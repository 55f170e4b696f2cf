"""`MultiLabels`: any number of labels per row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.metrics import accuracy_score

from seqpipe.estimators._input import check_targets
from seqpipe.estimators._step_targets import check_step_numbers
from seqpipe.estimators.targets._codec import TargetCodec
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.saved import LONGEST, ArrayOf, Schema, Whole, optional
from seqpipe.sequences import Sequences, Windows

__all__ = ["MultiLabels"]

#: Frequency of a label that never applies, for a finite loss of predicting it.
_RAREST = 1e-6


@dataclass(frozen=True)
class MultiLabels(TargetCodec):
    """Label indicators of shape (n_rows, n_labels): 1 where a label applies, otherwise 0.

    Attributes
    ----------
    n_labels : int
        Number of columns of y.
    weights : array of shape (2, n_labels), optional
        Weights of 0 and of 1 for each label in the loss; 1 by default.
    """

    n_labels: int
    weights: NDArray[np.float64] | None = None

    criterion: ClassVar[type[torch.nn.Module]] = torch.nn.BCEWithLogitsLoss
    _saved: ClassVar[dict[str, Schema]] = {"n_labels": Whole(1, LONGEST), "weights": optional(ArrayOf("f", 2))}

    @staticmethod
    def read(y: Any, n_samples: int, *, owner: str) -> NDArray[np.int64]:
        """Validate indicators; return them in shape (n_samples, n_labels)."""
        values = check_targets(owner, y.toarray() if issparse(y) else y, n_samples)
        if values.ndim != 2:
            raise InvalidSequencesError(
                f"{owner} was fitted with multi-label targets and expects y of shape (n_samples, n_labels). "
                f"Got shape {values.shape} instead."
            )
        _check_indicators(values, np.ones(n_samples, dtype=bool), owner)
        return values.astype(np.int64)

    @staticmethod
    def read_steps(
        rows: NDArray[Any], X: Sequences | Windows, *, owner: str
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Validate indicators; return them in shape (total_steps, n_labels), and a mask of known rows."""
        values, known = check_step_numbers(rows, X, owner=owner)
        _check_indicators(values, known, owner)
        return values.astype(np.int64), known

    @property
    def classes(self) -> list[NDArray[np.int64]]:
        """0 and 1 for each label, in scikit-learn's form for several targets."""
        return [np.array([0, 1])] * self.n_labels

    @property
    def n_outputs(self) -> int:
        """Number of labels."""
        return self.n_labels

    def encode(self, values: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the indicators as floats.

        Raises
        ------
        ValueError
            If the number of labels differs from ``n_labels``.
        """
        if values.shape[1:] != (self.n_labels,):
            raise ValueError(
                f"y has shape {values.shape}, but had {self.n_labels} columns in the previous fit: pass the same "
                "number."
            )
        return values.astype(np.float64)

    def decode(self, outputs: NDArray[Any]) -> NDArray[np.int64]:
        """Return 1 for each label with a probability above 0.5, otherwise 0."""
        return (outputs > 0).astype(np.int64)

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the probability that each label applies, shape (n_rows, n_labels)."""
        return torch.from_numpy(outputs).sigmoid().numpy()

    def _average(self, outputs: list[NDArray[Any]]) -> NDArray[Any]:
        logits = torch.from_numpy(np.stack(outputs))
        applies, lacks = (torch.nn.functional.logsigmoid(each).logsumexp(dim=0) for each in (logits, -logits))
        return (applies - lacks).numpy()

    def decisions(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the log-odds of each label, shape (n_rows, n_labels)."""
        return outputs

    def constant(self, encoded: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
        """Return the log-odds of the weighted frequency of each label."""
        applies = np.clip(np.average(encoded, axis=0, weights=weight), _RAREST, 1 - _RAREST)
        return np.log(applies / (1 - applies))

    def score(
        self, values: NDArray[np.int64], outputs: NDArray[Any], weight: NDArray[Any] | None, *, owner: str
    ) -> float:
        """Return the subset accuracy, the fraction of rows in which all labels are correct."""
        return float(accuracy_score(values, self.decode(outputs), sample_weight=weight))

    def criterion_params(self) -> dict[str, Any]:
        """Return the weights of the labels as arguments of the criterion."""
        if self.weights is None:
            return {}
        without, applies = torch.from_numpy(self.weights)
        return {"weight": without, "pos_weight": applies / without}

    def weighted(
        self,
        class_weight: Any,
        values: NDArray[np.int64],
        weight: NDArray[np.float64] | None,
        *,
        owner: str,
    ) -> Self:
        """Return the codec with weights of labels, scaled to mean 1 over the training data.

        Parameters
        ----------
        class_weight : list of n_labels dicts, "balanced" or None
            Weights of 0 and 1 for each label, by default 1; "balanced" uses weights inversely proportional to the
            frequencies of 0 and 1 in each column.
        values : array of shape (n_rows, n_labels)
            Indicators to train on.
        weight : array of shape (n_rows,), optional
            Weights of the rows.
        owner : str
            Name of the estimator, for error messages.

        Raises
        ------
        ValueError
            If ``class_weight`` is invalid.
        """
        if class_weight is None:
            return replace(self, weights=None)
        applies = np.average(self.encode(values), axis=0, weights=weight)
        shares = np.stack([1 - applies, applies])
        if isinstance(class_weight, str):
            weights = np.where(shares > 0, 0.5 / np.where(shares > 0, shares, 1), 1.0)
        else:
            weights = _given_weights(class_weight, self.n_labels, owner)
        return replace(self, weights=weights / (shares * weights).sum(axis=0).mean())


def _check_indicators(values: NDArray[np.float64], known: NDArray[np.bool_], owner: str) -> None:
    wrong = np.argwhere(~np.isin(values, (0, 1)) & known[:, None])
    if len(wrong):
        row, column = wrong[0]
        raise InvalidSequencesError(
            f"y of {owner} has several columns, and multi-label targets must be 0 or 1. Got {values[row, column]:g} in row "
            f"{row}, column {column} ({len(wrong):,} in total). Use 1 where a label applies and 0 elsewhere; "
            "sklearn.preprocessing.MultiLabelBinarizer encodes lists of labels so. For one label per row pass one column; "
            "numbers are for regressors."
        )


def _given_weights(class_weight: Any, n_labels: int, owner: str) -> NDArray[np.float64]:
    listed = isinstance(class_weight, list | tuple) and len(class_weight) == n_labels
    if not listed or not all(isinstance(each, dict) for each in class_weight):
        raise ValueError(
            f"The 'class_weight' parameter of {owner} must be 'balanced' or a list of {n_labels} dicts for {n_labels} "
            f"labels, such as [{{0: 1, 1: 5}}, …]. Got {class_weight!r} instead."
        )
    weights = np.array([[each.get(value, 1.0) for each in class_weight] for value in (0, 1)], dtype=float)
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise ValueError(
            f"The 'class_weight' parameter of {owner} must have finite weights above 0. Got {class_weight!r} instead."
        )
    return weights
