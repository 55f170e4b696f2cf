"""Conversion of sequences to rows of a table, for baselines without a notion of time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from seqpipe.sequences import Sequences, as_sequences, is_table
from seqpipe.transformers import is_texts

__all__ = ["tabular"]

#: Number of columns for texts: counts of the most frequent n-grams of up to three characters.
_MOST_PIECES = 2_000


def tabular(train: Any, test: Any, *, max_values: int = 20_000_000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Convert two sets of sequences to matrices of shape (n_samples, n_columns).

    If all sequences have the same length, their steps are concatenated. Otherwise, or if this would be more
    than ``max_values`` values, there are five columns per feature: its mean, standard deviation, minimum, maximum and
    last value. For texts, the columns count the most frequent n-grams of up to three characters.
    """
    if is_texts(train):
        return _pieces(train, test)
    both = [_plain(train), _plain(test)]
    if all(isinstance(X, np.ndarray) for X in both):
        return both[0], both[1]
    lengths = np.concatenate([X.lengths for X in both])
    few = len(lengths) * int(lengths[0]) * both[0].n_features <= max_values
    make = _flat if few and (lengths == lengths[0]).all() else _summary
    return make(both[0]), make(both[1])


def _pieces(train: Any, test: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    counter = CountVectorizer(
        analyzer="char", ngram_range=(1, 3), max_features=_MOST_PIECES, preprocessor=_as_string, dtype=np.float64
    )
    return counter.fit_transform(train).toarray(), counter.transform(test).toarray()


def _as_string(text: Any) -> str:
    return text if isinstance(text, str) else " ".join(map(str, text))


def _plain(X: Any) -> Any:
    if is_table(X):
        return np.asarray(X, dtype=np.float64)
    found = as_sequences(X, dtype=np.float64)
    return found if isinstance(found, Sequences) else Sequences.from_padded(np.asarray(found))


def _flat(X: Sequences) -> NDArray[np.float64]:
    return X.values.reshape(len(X), -1)


def _summary(X: Sequences) -> NDArray[np.float64]:
    begins, lengths = X.offsets[:-1], X.lengths
    mean = np.add.reduceat(X.values, begins) / lengths[:, None]
    deviations = X.values - np.repeat(mean, lengths, axis=0)
    spread = np.sqrt(np.add.reduceat(deviations**2, begins) / lengths[:, None])
    lowest, highest = np.minimum.reduceat(X.values, begins), np.maximum.reduceat(X.values, begins)
    return np.hstack([mean, spread, lowest, highest, X.values[X.offsets[1:] - 1]])
