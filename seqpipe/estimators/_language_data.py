"""Texts as what a language model is trained on: at each step the next token."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqpipe.sequences import Sequences
from seqpipe.training import Samples

__all__ = ["next_tokens", "streams"]


def next_tokens(
    texts: list[NDArray[np.int64]],
    start: int,
    *,
    labels: NDArray[np.int64] | None = None,
    weight: NDArray[np.float64] | None = None,
    dtype: str,
) -> Samples:
    """Return samples whose input at each step is the token before, the start first, and whose target is the token.

    Parameters
    ----------
    texts : list of arrays of shape (n_tokens,)
        Token numbers, at least one a text.
    start : int
        The number of the token before each text.
    labels : array of int, shape (n_samples,), optional
        The class of each text: then the second feature of each step.
    weight : array of shape (n_samples,), optional
        Of each text; brought to a mean of 1 over all tokens.
    dtype : {"float32", "float64"}
        Of the inputs.
    """
    lengths = [len(text) for text in texts]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.concatenate(texts)
    before = np.roll(tokens, 1)
    before[offsets[:-1]] = start
    columns = [before] if labels is None else [before, np.repeat(labels, lengths)]
    X = Sequences(np.stack(columns, axis=1).astype(dtype), offsets)
    y = Sequences(tokens[:, None].astype(np.float64), offsets)
    if weight is not None:
        weight = (weight / np.average(weight, weights=lengths)).astype(dtype)
    return Samples(X, y, weight)


def streams(text: NDArray[np.int64], n_streams: int) -> list[NDArray[np.int64]]:
    """Return a text of shape (n_tokens,) cut into consecutive parts, as equal in length as can be."""
    return np.array_split(text, min(n_streams, len(text)))
