"""Conversion of texts to sequences of token numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences
from seqpipe.transformers import Text, Vocabulary

__all__ = ["as_objects", "encoded_sources", "encoded_targets", "token_sequences"]


def encoded_sources(vocabulary: Vocabulary, texts: list[Text], dtype: str) -> Sequences:
    """Return source texts as sequences of one feature.

    Raises
    ------
    InvalidSequencesError
        If a text has no tokens, or a token that is not in the vocabulary; names the position.
    """
    numbers = _encoded(vocabulary, texts, "X", end=False)
    for i, tokens in enumerate(numbers):
        if not len(tokens):
            raise InvalidSequencesError(f"X, sample {i} has no tokens ({texts[i]!r}). Drop this sample.")
    return token_sequences(numbers, dtype)


def encoded_targets(vocabulary: Vocabulary, texts: list[Text], dtype: str) -> Sequences:
    """Return target texts as sequences of one feature, with the end-of-sequence token; texts may be empty.

    Raises
    ------
    InvalidSequencesError
        If a text has a token that is not in the vocabulary; names the position.
    """
    return token_sequences(_encoded(vocabulary, texts, "y", end=True), dtype)


def _encoded(vocabulary: Vocabulary, texts: list[Text], name: str, *, end: bool) -> list[NDArray[np.int64]]:
    numbers = []
    for i, text in enumerate(texts):
        try:
            numbers.append(vocabulary.encode(text, end=end))
        except InvalidSequencesError as error:
            raise InvalidSequencesError(f"{name}, sample {i}: {error}") from None
    return numbers


def token_sequences(numbers: list[NDArray[np.int64]], dtype: str) -> Sequences:
    """Return token numbers in the form that networks expect: sequences of one feature, of the network's dtype."""
    offsets = np.concatenate([[0], np.cumsum([len(tokens) for tokens in numbers])])
    return Sequences(np.concatenate(numbers).astype(dtype)[:, None], offsets)


def as_objects(texts: list[Text]) -> NDArray[Any]:
    """Return texts as an object array of shape (n_samples,), which scikit-learn can index and concatenate."""
    objects = np.empty(len(texts), dtype=object)
    objects[:] = texts
    return objects
