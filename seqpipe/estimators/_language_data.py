"""Training samples of language models, with the next token as the target at each step."""

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
    """Return samples with the tokens of texts as targets, and the preceding tokens as inputs.

    Parameters
    ----------
    texts : list of arrays of shape (n_tokens,)
        Token numbers, at least one per text.
    start : int
        Number of the start token, which precedes each text.
    labels : array of int, shape (n_samples,), optional
        Class index of each text, the second feature of each step.
    weight : array of shape (n_samples,), optional
        Weight of each text; scaled to mean 1 over all tokens.
    dtype : {"float32", "float64"}
        Data type of the inputs.
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
    """Split a text of shape (n_tokens,) into consecutive streams of about equal length."""
    return np.array_split(text, min(n_streams, len(text)))
