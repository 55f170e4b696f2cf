"""Metrics of predicted token sequences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqpipe.transformers import Form, Level, Text, Token, normalized, split_text

__all__ = ["edit_distances", "exact_matches", "text_scores", "token_accuracy"]

Tokens = Sequence[Token]


def text_scores(
    truth: Sequence[Text], predicted: Sequence[Text], *, level: Level = "char", normalize: Form | None = "NFC"
) -> dict[str, float]:
    """Compute metrics of predicted texts.

    Parameters
    ----------
    truth, predicted : sequences of n_samples texts
        Strings, or lists of tokens.
    level : {"char", "word", "token"}, default="char"
        Tokens are characters, words separated by whitespace, or the items of lists.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
        Unicode normalization form in which texts are compared.

    Returns
    -------
    scores : dict of str to float
        ``exact_match``, the fraction of texts that are predicted exactly; ``token_accuracy``, the fraction of positions
        with the correct token; and ``edit_distance``, the mean edit distance per text, in tokens.
    """
    tokens = [[split_text(normalized(text, normalize), level) for text in texts] for texts in (truth, predicted)]
    return {
        "exact_match": float(exact_matches(*tokens).mean()),
        "token_accuracy": token_accuracy(*tokens),
        "edit_distance": float(edit_distances(*tokens).mean()),
    }


def exact_matches(truth: Sequence[Tokens], predicted: Sequence[Tokens]) -> NDArray[np.bool_]:
    """Return a mask of predictions that are exactly correct, shape (n_samples,)."""
    return np.array([list(a) == list(b) for a, b in zip(truth, predicted, strict=True)], dtype=bool)


def token_accuracy(truth: Sequence[Tokens], predicted: Sequence[Tokens]) -> float:
    """Return the fraction of positions with the correct token.

    Positions that only one of two sequences has count as errors. Two empty sequences have no positions.
    """
    pairs = list(zip(truth, predicted, strict=True))
    right = sum(a == b for pair in pairs for a, b in zip(*pair))
    places = sum(max(len(a), len(b)) for a, b in pairs)
    return right / places if places else 1.0


def edit_distances(truth: Sequence[Tokens], predicted: Sequence[Tokens]) -> NDArray[np.int64]:
    """Return the edit distance of each prediction, shape (n_samples,), in insertions, deletions and substitutions.

    Levenshtein, 1966, Soviet Physics Doklady 10(8).
    """
    return np.array([_distance(a, b) for a, b in zip(truth, predicted, strict=True)], dtype=np.int64)


def _distance(a: Tokens, b: Tokens) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y)))
    return row[-1]
