"""Unigram and bigram language models, used as baselines."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqpipe.transformers import Form, Level, Vocabulary, as_texts

__all__ = ["NgramModel"]


class NgramModel:
    """A unigram or bigram model.

    A pair (a, b) has the probability (n_ab + m p_b) / (n_a + m), where p_b = (n_b + 1) / (n + n_tokens): pairs
    that never occur have a positive probability (Dirichlet smoothing; MacKay and Peto, 1995,
    doi:10.1017/S1351324900000218).

    Parameters
    ----------
    level : {"char", "word", "token"}
        Kind of tokens.
    pairs : bool
        Whether to condition on the previous token (bigrams).
    ends : bool
        Whether the end of a text is a token; otherwise all texts are treated as one.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
        Unicode normalization form applied to texts first.
    """

    #: The weight m of the unigram probabilities.
    strength = 10.0

    def __init__(self, level: Level, *, pairs: bool, ends: bool, normalize: Form | None = "NFC") -> None:
        self.level = level
        self.normalize = normalize
        self.pairs = pairs
        self.ends = ends

    def fit(self, texts: Any) -> Self:
        """Count the tokens of texts, and for bigrams the pairs."""
        found = as_texts(texts, self.level)
        special = ("start", "end", "unknown") if self.ends else ("start", "unknown")
        self.vocabulary_ = Vocabulary.of(found, self.level, special=special, normalize=self.normalize)
        before, after = self._pairs(found)
        n_tokens = len(self.vocabulary_)
        counts = np.bincount(after, minlength=n_tokens)
        self.frequencies_ = (counts + 1) / (counts.sum() + n_tokens)
        self.counts_ = np.zeros((n_tokens, n_tokens))
        if self.pairs:
            np.add.at(self.counts_, (before, after), 1)
        return self

    def bits_per_token(self, texts: Any, y: Any = None) -> float:
        """Return the mean of -log2 of the probability of each token of texts; y is ignored."""
        before, after = self._pairs(as_texts(texts, self.level))
        own = self.strength * self.frequencies_[after]
        found = (self.counts_[before, after] + own) / (self.counts_[before].sum(axis=1) + self.strength)
        return float(-np.log2(found).mean())

    def _pairs(self, texts: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the index of each token, and of the previous one."""
        after = [self.vocabulary_.encode(text, end=self.ends) for text in texts]
        if not self.ends:
            after = [np.concatenate(after)]
        before = [np.append(self.vocabulary_.start, text[:-1]) for text in after]
        return np.concatenate(before), np.concatenate(after)
