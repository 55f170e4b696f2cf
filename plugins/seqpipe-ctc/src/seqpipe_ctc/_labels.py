"""Label sequences as codes: the blank is 0, and the classes follow in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe_ctc._loss import target_rows

__all__ = ["classes_of", "encoded", "label_sequences", "restored"]

_LISTS = (list, tuple, np.ndarray)


def label_sequences(y: Any) -> list[Any]:
    """Return y as a list of strings, or of lists of labels.

    Raises
    ------
    ValueError
        If y is one string, or an item is not a sequence of labels; the message names the sample.
    """
    if y is None or isinstance(y, str):
        raise ValueError(f"y must be a list with a sequence of labels, or a string, per sample. Got {y!r:.40} instead.")
    return [_sequence(labels, i) for i, labels in enumerate(y)]


def _sequence(labels: Any, i: int) -> Any:
    if isinstance(labels, str):
        return str(labels)
    if not isinstance(labels, _LISTS) or any(isinstance(label, _LISTS) for label in labels):
        raise ValueError(
            f"y must have a sequence of labels, or a string, per sample. Got {labels!r:.40} for sample {i} instead."
        )
    return labels.tolist() if isinstance(labels, np.ndarray) else list(labels)


def classes_of(y: Iterable[Sequence[Any]]) -> NDArray[Any]:
    """Return the labels that occur, in order.

    Raises
    ------
    ValueError
        If there are none, or they cannot be ordered.
    """
    found = {label for labels in y for label in labels}
    if not found:
        raise ValueError("y must have at least one label in at least one sample. Got empty sequences only instead.")
    try:
        return np.array(sorted(found))
    except TypeError:
        raise ValueError("y must have labels of one type, such as str or int. Got several instead.") from None


def encoded(y: Iterable[Sequence[Any]], classes: NDArray[Any], names: list[str], lengths: list[int]) -> list[Any]:
    """Return the targets of `CTCStepLoss`, an array of shape (n_timesteps, n_classes + 1) per sample.

    Parameters
    ----------
    y : list of label sequences
        The labels, all of them classes.
    classes : array of shape (n_classes,)
        The classes.
    names, lengths : lists of n_samples items
        Name of each sample in errors, and its number of steps.

    Raises
    ------
    ValueError
        If a sample has fewer steps than its labels need.
    """
    codes = {label: code for code, label in enumerate(classes.tolist(), start=1)}
    rows = []
    for labels, name, length in zip(y, names, lengths):
        _check_length(labels, name, length)
        rows.append(target_rows([codes[label] for label in labels], length, len(classes) + 1))
    return rows


def _check_length(labels: Sequence[Any], name: str, n_timesteps: int) -> None:
    needed = len(labels) + sum(label == following for label, following in pairwise(labels))
    if n_timesteps < max(needed, 1):
        raise ValueError(
            f"X must have a step for each label, and one between equal neighbours. {name} has {n_timesteps} steps, and "
            f"its {len(labels)} labels need {needed}: leave it out, or sample it at a higher rate."
        )


def restored(codes: Sequence[int], classes: NDArray[Any], *, as_text: bool) -> Any:
    """Return the labels of codes, as a string or a list."""
    labels = classes[np.array(codes, dtype=int) - 1].tolist()
    return "".join(labels) if as_text else labels
