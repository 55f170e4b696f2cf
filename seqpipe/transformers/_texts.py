"""Validation of texts, and their split into tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows, familiar

__all__ = [
    "FORMS",
    "LEVELS",
    "Form",
    "Level",
    "Text",
    "Token",
    "as_texts",
    "is_blank",
    "is_texts",
    "join_tokens",
    "normalized",
    "split_text",
]

Token = str | int
#: A string with level="char" or "word", a list of tokens with level="token".
Text = str | list[Token]
Level = Literal["char", "word", "token"]

LEVELS: tuple[Level, ...] = ("char", "word", "token")

#: Unicode normalization forms (Unicode Standard Annex #15).
Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS: tuple[Form, ...] = ("NFC", "NFD", "NFKC", "NFKD")


def as_texts(texts: Any, level: Level, *, name: str = "X") -> list[Text]:
    """Convert texts of any accepted kind to a list of strings, or of lists of tokens.

    Parameters
    ----------
    texts : list, tuple, array or pandas Series of texts, or a table of one column
        With level="char" or "word" each is a string; with level="token" a list, tuple or array of strings or of
        integers.
    level : {"char", "word", "token"}
        Kind of tokens.
    name : str
        Name of the texts in error messages.

    Raises
    ------
    InvalidSequencesError
        If there are no texts, or one is not a text of this level; the message names the position.
    """
    items = [*_items(texts, name)]
    if not items:
        raise InvalidSequencesError(
            f"Found array with 0 sample(s) ({name} is empty) while a minimum of 1 is required: give at least one text."
        )
    if level == "token":
        return [_as_tokens(item, f"{name}, sample {i}") for i, item in enumerate(items)]
    return [_as_string(item, f"{name}, sample {i}", level) for i, item in enumerate(items)]


def is_blank(text: Text) -> bool:
    """Return whether a text is only whitespace, or has no tokens."""
    return not (text.strip() if isinstance(text, str) else text)


def is_texts(X: Any) -> bool:
    """Return whether X holds texts: a list, array, Series or column whose first item is a string or list of strings."""
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
    return items.iloc[0] if hasattr(items, "iloc") else items[0]  # a Series is indexed by label


def _items(texts: Any, name: str) -> Iterable[Any]:
    texts = familiar(texts, name)
    if isinstance(texts, str | bytes | dict | set | Iterator | Sequences | Windows) or not hasattr(texts, "__len__"):
        raise InvalidSequencesError(
            f"{name} must be a list, an array or a pandas Series of texts. Got {type(texts).__name__} instead: "
            "wrap a single text in a list."
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


def _as_string(item: Any, place: str, level: Level) -> str:
    if not isinstance(item, str):
        raise InvalidSequencesError(_not_a_string(item, place, level))
    _check_surrogates(item, place)
    return str(item)


def _check_surrogates(text: str, place: str) -> None:
    """Raise for unpaired surrogates, which are not characters and cannot be encoded."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidSequencesError(
            f"{place}: there is an unpaired surrogate, {text[error.start]!r}, at position {error.start}: the text was "
            "not decoded with its encoding. Decode it again, or remove the character."
        ) from error


def _is_missing(item: Any) -> bool:
    return pd.api.types.is_scalar(item) and bool(pd.isna(item))


def _not_a_string(item: Any, place: str, level: Level) -> str:
    if _is_missing(item):
        return f"{place} is missing ({item!r}): fill it or drop it."
    if isinstance(item, list | tuple | np.ndarray):
        return f"{place} must be a string at level={level!r}. Got a list of tokens instead: set level='token'."
    return f"{place} must be a string at level={level!r}. Got {item!r} instead: give texts, not {type(item).__name__}."


def _as_tokens(item: Any, place: str) -> list[Token]:
    if isinstance(item, np.ndarray):
        item = item.tolist()
    if _is_missing(item):
        raise InvalidSequencesError(f"{place} is missing ({item!r}): fill it or drop it.")
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
        if isinstance(token, str):
            _check_surrogates(token, f"{place}, step {step}")
    return tokens


def normalized(text: Text, form: Form | None) -> Text:
    """Return a text, or each token of a list, in a Unicode normalization form; unchanged if the form is None."""
    if form is None:
        return text
    if isinstance(text, str):
        return unicodedata.normalize(form, text)
    return [unicodedata.normalize(form, token) if isinstance(token, str) else token for token in text]


def split_text(text: Text, level: Level) -> list[Token]:
    """Return the tokens of a text: its characters, its words separated by whitespace, or the items of the list."""
    if not isinstance(text, str):
        return [*text]
    return [*text] if level == "char" else [*text.split()]


def join_tokens(tokens: list[Token], level: Level) -> Text:
    """Return the text of tokens: joined without separator, by a space, or left as a list."""
    if level == "token":
        return tokens
    return ("" if level == "char" else " ").join(str(token) for token in tokens)
