"""How near predicted token sequences come to the true ones."""

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
    """Return how near predicted texts come to the true ones.

    Parameters
    ----------
    truth, predicted : sequences of n_samples texts
        Strings, or lists of tokens.
    level : {"char", "word", "token"}, default="char"
        What a token is.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
        Unicode's form that texts are compared in.

    Returns
    -------
    dict
        ``exact_match``, the share of texts that are right from the first token to the last; ``token_accuracy``, the
        share of places with the right token; ``edit_distance``, the tokens to put in, take out or replace, a text.
    """
    tokens = [[split_text(normalized(text, normalize), level) for text in texts] for texts in (truth, predicted)]
    return {
        "exact_match": float(exact_matches(*tokens).mean()),
        "token_accuracy": token_accuracy(*tokens),
        "edit_distance": float(edit_distances(*tokens).mean()),
    }


def exact_matches(truth: Sequence[Tokens], predicted: Sequence[Tokens]) -> NDArray[np.bool_]:
    """Return which predictions are right from the first token to the end, shape (n_samples,)."""
    return np.array([list(a) == list(b) for a, b in zip(truth, predicted, strict=True)], dtype=bool)


def token_accuracy(truth: Sequence[Tokens], predicted: Sequence[Tokens]) -> float:
    """Return the share of places that hold the right token.

    A place that only one of the two sequences has counts as wrong; two empty ones have none.
    """
    pairs = list(zip(truth, predicted, strict=True))
    right = sum(a == b for pair in pairs for a, b in zip(*pair))
    places = sum(max(len(a), len(b)) for a, b in pairs)
    return right / places if places else 1.0


def edit_distances(truth: Sequence[Tokens], predicted: Sequence[Tokens]) -> NDArray[np.int64]:
    """Return how many tokens must be put in, taken out or replaced to right each prediction, shape (n_samples,).

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
