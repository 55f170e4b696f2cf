"""`Vocabulary`: tokens in a fixed order, and their indices."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.saved import AnyOf, Items, Schema, TextOf, Whole, optional
from seqpipe.transformers._parameters import check_choice, check_integer
from seqpipe.transformers._texts import FORMS, LEVELS, Form, Level, Text, Token, join_tokens, normalized, split_text

__all__ = ["SPECIAL", "Vocabulary"]

#: Special tokens.
SPECIAL = ("start", "end", "unknown")


@dataclass(frozen=True)
class Vocabulary:
    """Mapping between tokens and the indices that networks use: special tokens first, then the tokens in order.

    Special tokens never occur in a text: a word written "<end>" has a different index. Saved as plain data.

    Parameters
    ----------
    tokens : tuple of str or of int
        The tokens, without duplicates.
    level : {"char", "word", "token"}, default="char"
        Kind of tokens: characters, words separated by whitespace, or the items of a list.
    special : tuple of {"start", "end", "unknown"}, default=()
        Special tokens to include.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
        Unicode normalization form applied to texts before they are split, so that "é" is the same token as "e" with a
        combining accent; None leaves texts unchanged.

    Raises
    ------
    InvalidSequencesError
        If there are no tokens, or one is duplicated, neither a string nor an integer, or not normalized.
    UnknownNameError
        If the level, a special token or the normalization form is not one of these.

    Examples
    --------
    >>> from seqpipe.transformers import Vocabulary
    >>> vocabulary = Vocabulary.of(["abba", "cab"], special=("end",))
    >>> vocabulary.encode("cab", end=True)
    array([3, 1, 2, 0])
    >>> vocabulary.decode([3, 1, 2, 0])
    'cab'
    """

    tokens: tuple[Token, ...]
    level: Level = "char"
    special: tuple[str, ...] = ()
    normalize: Form | None = "NFC"
    _saved: ClassVar[dict[str, Schema]] = {
        "tokens": Items(AnyOf((TextOf(most=10_000), Whole(-(2**63), 2**63)))),
        "level": TextOf(among=tuple(LEVELS)),
        "special": Items(TextOf(among=SPECIAL), most=len(SPECIAL)),
        "normalize": optional(TextOf(among=tuple(FORMS))),
    }

    def __post_init__(self) -> None:
        check_choice("Vocabulary", "level", self.level, LEVELS)
        if self.normalize is not None:
            check_choice("Vocabulary", "normalize", self.normalize, FORMS)
        for name in self.special:
            check_choice("Vocabulary", "special", name, SPECIAL)
        kinds = {type(token) for token in self.tokens}
        if not kinds or not kinds <= {str, int} or len({*self.tokens}) < len(self.tokens):
            raise InvalidSequencesError(
                "A vocabulary needs at least one token, and its tokens must be unique strings or integers."
            )
        other = [token for token in self.tokens if normalized([token], self.normalize) != [token]]
        if other:
            raise InvalidSequencesError(
                f"The token {other[0]!a} is not in the form {self.normalize!r}: normalize the tokens, or set "
                "normalize=None."
            )

    @classmethod
    def of(
        cls,
        texts: Iterable[Text],
        level: Level = "char",
        *,
        special: tuple[str, ...] = (),
        min_count: int = 1,
        normalize: Form | None = "NFC",
    ) -> Vocabulary:
        """Return the vocabulary of all tokens in the given texts, sorted.

        Parameters
        ----------
        texts : iterable of str or of list
            As returned by `as_texts`.
        level : {"char", "word", "token"}, default="char"
            Kind of tokens.
        special : tuple of {"start", "end", "unknown"}, default=()
            Special tokens to include.
        min_count : int, default=1
            Tokens that occur less often are unknown; values above 1 require the special token "unknown".
        normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
            Unicode normalization form applied to texts first.

        Raises
        ------
        InvalidSequencesError
            If no token is left, strings and integers are mixed, or min_count requires the special token "unknown".
        """
        check_choice("Vocabulary", "level", level, LEVELS)
        check_integer("Vocabulary", "min_count", min_count, minimum=1)
        if normalize is not None:
            check_choice("Vocabulary", "normalize", normalize, FORMS)
        if min_count > 1 and "unknown" not in special:
            raise InvalidSequencesError(
                f"min_count={min_count} leaves rare tokens out: add 'unknown' to the special tokens."
            )
        counts: Counter[Token] = Counter()
        for text in texts:
            counts.update(split_text(normalized(text, normalize), level))
        kept = [token for token, count in counts.items() if count >= min_count]
        if not kept:
            rare = f"no token that occurs at least {min_count} times" if counts else "no tokens: all of them are empty"
            raise InvalidSequencesError(f"The texts have {rare}. Give longer ones.")
        if len({type(token) for token in kept}) > 1:
            raise InvalidSequencesError("The texts mix strings and integers as tokens: use only one of the two.")
        return cls(tuple(sorted(kept)), level, special, normalize)

    def __len__(self) -> int:
        """Return the number of tokens, including special tokens."""
        return len(self.special) + len(self.tokens)

    @property
    def names(self) -> list[str]:
        """Name of each index, special tokens in angle brackets."""
        return [*(f"<{name}>" for name in self.special), *map(str, self.tokens)]

    @property
    def start(self) -> int:
        """Index of the start-of-sequence token."""
        return self._special("start")

    @property
    def end(self) -> int:
        """Index of the end-of-sequence token."""
        return self._special("end")

    @property
    def unknown(self) -> int:
        """Index of the special token for tokens that are not in the vocabulary."""
        return self._special("unknown")

    def _special(self, name: str) -> int:
        if name not in self.special:
            raise InvalidSequencesError(f"This vocabulary has no special token {name!r}, only {[*self.special]}.")
        return self.special.index(name)

    @cached_property
    def _numbers(self) -> dict[Token, int]:
        return {token: number for number, token in enumerate(self.tokens, len(self.special))}

    def split(self, text: Text) -> list[Token]:
        """Return the tokens of a text, normalized, whether known or not."""
        return split_text(normalized(text, self.normalize), self.level)

    def encode(self, text: Text, *, start: bool = False, end: bool = False) -> NDArray[np.int64]:
        """Return the indices of the tokens of a text, shape (n_tokens,), with start and end tokens added if requested.

        Raises
        ------
        InvalidSequencesError
            If a token is not in the vocabulary and there is no special token "unknown"; the message names the position.
        """
        tokens = self.split(text)
        if "unknown" in self.special:
            unknown = self.unknown
            numbers = [self._numbers.get(token, unknown) for token in tokens]
        else:
            try:
                numbers = [self._numbers[token] for token in tokens]
            except KeyError:
                raise InvalidSequencesError(self._unknown_token_message(tokens)) from None
        before, after = [self.start] if start else [], [self.end] if end else []
        return np.array([*before, *numbers, *after], dtype=np.int64)

    def _unknown_token_message(self, tokens: list[Token]) -> str:
        step, token = next((i, token) for i, token in enumerate(tokens) if token not in self._numbers)
        kind = {"char": "character", "word": "word", "token": "token"}[self.level]
        hint = did_you_mean(token, self.tokens) if self.level != "char" else ""
        return (
            f"The {kind} {_described(token)} at step {step} is not one of the {len(self.tokens)} in the training "
            f"texts.{hint} Replace it, or train on texts that contain it."
        )

    def decode(self, numbers: Any) -> Text:
        """Return the text of token indices of shape (n_tokens,): a string, or a list of tokens if level="token".

        Decoding stops at the first end-of-sequence token; start tokens are skipped, unknown ones become "<unknown>".

        Raises
        ------
        InvalidSequencesError
            If an index is out of range.
        """
        numbers = np.asarray(numbers).tolist()
        wrong = [number for number in numbers if not (number == int(number) and 0 <= number < len(self))]
        if wrong:
            raise InvalidSequencesError(
                f"{wrong[0]!r} is not a token index: the indices of the vocabulary are 0 to {len(self) - 1}."
            )
        if "end" in self.special and self.end in numbers:
            numbers = numbers[: numbers.index(self.end)]
        skipped = self.special.index("start") if "start" in self.special else None
        return join_tokens([self.token(int(number)) for number in numbers if number != skipped], self.level)

    def token(self, number: int) -> Token:
        """Return the token of an index, or the name of a special token in angle brackets."""
        n_special = len(self.special)
        return self.tokens[number - n_special] if number >= n_special else f"<{self.special[number]}>"

    def __getstate__(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "level": self.level, "special": self.special, "normalize": self.normalize}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({"normalize": None, **state})  # older files have no normalization form
        self.__post_init__()  # the contents of a file are not trusted


def _described(token: Token) -> str:
    """Return a token for error messages: a single non-ASCII character with its code point and name."""
    if not isinstance(token, str) or len(token) != 1 or token.isascii():
        return repr(token)
    return f"{token!r} (U+{ord(token):04X} {unicodedata.name(token, '')}".rstrip() + ")"
