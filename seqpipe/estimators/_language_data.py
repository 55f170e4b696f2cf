"""Training samples of language models, with the next token as the target at each step."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import DataWarning
from seqpipe.sequences import Sequences
from seqpipe.training import Samples
from seqpipe.transformers import Text

__all__ = ["auto_hidden_size", "is_long", "next_tokens", "streams"]

#: Number of tokens of a text that is worth splitting, 64 in each of 32 streams.
_LONG = 2048
#: Few texts, and the mean number of tokens that makes reading so few at a time slow.
_FEW, _VERY_LONG = 8, 10 * _LONG
#: Hidden units grow with the square root of the number of tokens: 64 for this number, up to a multiple of 64.
_TOKENS, _UNITS, _MOST = 30_000, 64, 6


def is_long(text: Text) -> bool:
    """Return whether a single text is read in streams by default."""
    return len(text) >= _LONG


def warn_of_few(texts: list[Text]) -> None:
    """Warn if long texts are read only a few at a time."""
    mean = sum(map(len, texts)) / len(texts)
    if len(texts) < _FEW and mean >= _VERY_LONG:
        warnings.warn(
            f"X holds {len(texts)} separate texts of {mean:,.0f} tokens on average, of which all are read at a time, token by "
            "token. Set continuous=True to read them as one text, in 32 streams at a time, which is faster and learns "
            "better, or continuous=False to keep them separate without this warning.",
            DataWarning,
            stacklevel=2,
        )


def auto_hidden_size(n_tokens: int) -> int:
    """Return the number of hidden units for a training text of ``n_tokens``: from 64 to 384, for a million tokens."""
    return _UNITS * int(np.clip(round(np.sqrt(n_tokens / _TOKENS)), 1, _MOST))


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
