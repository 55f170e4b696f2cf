"""What a text may be, and how it falls into tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows

__all__ = ["LEVELS", "Level", "Text", "Token", "as_texts", "is_texts", "join_tokens", "split_text"]

Token = str | int
#: A string at the levels "char" and "word", a list of tokens at "token".
Text = str | list[Token]
Level = Literal["char", "word", "token"]

LEVELS: tuple[Level, ...] = ("char", "word", "token")


def as_texts(texts: Any, level: Level, *, name: str = "X") -> list[Text]:
    """Return texts of any accepted kind as a list of strings, or of lists of tokens.

    Parameters
    ----------
    texts : list, tuple, array or pandas Series of texts, or a table of one column
        At the levels "char" and "word" each is a string; at "token" a list, tuple or array of strings or of integers.
    level : {"char", "word", "token"}
        What a token is.
    name : str
        What errors call the texts.

    Raises
    ------
    InvalidSequencesError
        If there is no text, or one is no text of this level; names the place.
    """
    items = [*_items(texts, name)]
    if not items:
        raise InvalidSequencesError(
            f"Found array with 0 sample(s) ({name} is empty) while a minimum of 1 is required: give at least one text."
        )
    if level == "token":
        return [_as_tokens(item, f"{name}, sample {i}") for i, item in enumerate(items)]
    for i, item in enumerate(items):
        if not isinstance(item, str):
            raise InvalidSequencesError(_not_a_string(item, f"{name}, sample {i}", level))
    return [str(item) for item in items]


def is_texts(X: Any) -> bool:
    """Tell whether X holds texts: a list, an array, a Series or a column whose first item is a string, or a list of them."""
    if isinstance(X, str | bytes) or not hasattr(X, "__len__") or not len(X):
        return False
    if hasattr(X, "iloc"):
        X = X.iloc[:, 0].array if X.ndim == 2 and X.shape[1] == 1 else X.array if X.ndim == 1 else None
    first = _first(X)
    return isinstance(first, str) or isinstance(_first(first), str)


def _first(items: Any) -> Any:
    """Return the first item of a list or of a one-dimensional array, else None."""
    listed = isinstance(items, list | tuple) or getattr(items, "ndim", 0) == 1
    if not listed or not len(items):
        return None
    return items.iloc[0] if hasattr(items, "iloc") else items[0]  # a Series counts by its index


def _items(texts: Any, name: str) -> Iterable[Any]:
    if isinstance(texts, str | bytes | dict | set | Iterator | Sequences | Windows) or not hasattr(texts, "__len__"):
        raise InvalidSequencesError(
            f"{name} must be a list, an array or a pandas Series of texts. Got {type(texts).__name__} instead: "
            "put a single text into a list."
        )
    if hasattr(texts, "iloc") and texts.ndim == 2:
        if texts.shape[1] != 1:
            raise InvalidSequencesError(
                f"{name} must be one column of texts. Got {texts.shape[1]} columns: choose one."
            )
        return texts.iloc[:, 0].tolist()
    if isinstance(texts, np.ndarray) and texts.ndim == 2 and texts.shape[1] == 1 and texts.dtype.kind in "OUT":
        return texts[:, 0].tolist()
    return texts.tolist() if hasattr(texts, "tolist") else texts


def _not_a_string(item: Any, place: str, level: Level) -> str:
    if item is None or item != item:
        return f"{place} is missing ({item!r}): fill it or drop it."
    if isinstance(item, list | tuple | np.ndarray):
        return f"{place} must be a string at level={level!r}. Got a list of tokens instead: set level='token'."
    return f"{place} must be a string at level={level!r}. Got {item!r} instead: give texts, not {type(item).__name__}."


def _as_tokens(item: Any, place: str) -> list[Token]:
    if isinstance(item, np.ndarray):
        item = item.tolist()
    if not isinstance(item, list | tuple):
        raise InvalidSequencesError(
            f"{place} must be a list of tokens at level='token'. Got {item!r} instead: for strings set level='char' or "
            "'word'."
        )
    tokens = [token.item() if isinstance(token, np.generic) else token for token in item]
    for step, token in enumerate(tokens):
        if not isinstance(token, str | int) or isinstance(token, bool):
            raise InvalidSequencesError(
                f"{place}, step {step}: a token must be a string or an integer. Got {token!r} instead."
            )
    return tokens


def split_text(text: Text, level: Level) -> list[Token]:
    """Return the tokens of a text: its characters, what stands between white space, or those of the list."""
    if not isinstance(text, str):
        return [*text]
    return [*text] if level == "char" else [*text.split()]


def join_tokens(tokens: list[Token], level: Level) -> Text:
    """Return the text of tokens: joined by nothing, by a space, or left as a list."""
    if level == "token":
        return tokens
    return ("" if level == "char" else " ").join(str(token) for token in tokens)
