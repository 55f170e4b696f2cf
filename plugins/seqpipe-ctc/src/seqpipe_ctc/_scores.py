"""Scores of label sequences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["edit_distance", "label_error_rate", "sequence_accuracy"]


def edit_distance(truth: Sequence[Any], predicted: Sequence[Any]) -> int:
    """Return the smallest number of labels to insert, remove or replace (Levenshtein, 1966)."""
    row = list(range(len(predicted) + 1))
    for i, label in enumerate(truth, start=1):
        above, row = row, [i]
        for j, other in enumerate(predicted, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (label != other)))
    return row[-1]


def label_error_rate(y_true: Iterable[Sequence[Any]], y_pred: Iterable[Sequence[Any]]) -> float:
    """Return the edit distance between the label sequences per true label; above 1 if many are inserted.

    Raises
    ------
    ValueError
        If there is no true label.
    """
    pairs = list(zip(y_true, y_pred))
    n_labels = sum(len(truth) for truth, _ in pairs)
    if not n_labels:
        raise ValueError("The label error rate needs at least one true label. Got empty sequences only instead.")
    return sum(edit_distance(*pair) for pair in pairs) / n_labels


def sequence_accuracy(y_true: Iterable[Sequence[Any]], y_pred: Iterable[Sequence[Any]]) -> float:
    """Return the fraction of label sequences that are predicted without an error."""
    right = [list(truth) == list(predicted) for truth, predicted in zip(y_true, y_pred)]
    return sum(right) / len(right)
