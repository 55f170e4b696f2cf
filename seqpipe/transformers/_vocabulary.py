"""`Vocabulary`: tokens in a fixed order, and their numbers."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.transformers._parameters import check_choice, check_integer
from seqpipe.transformers._texts import FORMS, LEVELS, Form, Level, Text, Token, join_tokens, normalized, split_text

__all__ = ["SPECIAL", "Vocabulary"]

#: What a number may stand for besides a token.
SPECIAL = ("start", "end", "unknown")


@dataclass(frozen=True)
class Vocabulary:
    """Tokens and the numbers that networks know them by: first those of the special ones, then the tokens in order.

    Special tokens are none of the text's: a word that is written "<end>" has its own number. Kept in files as plain data.

    Parameters
    ----------
    tokens : tuple of str or of int
        Each once.
    level : {"char", "word", "token"}, default="char"
        What a token is: a character, what stands between white space, or an item of a list.
    special : tuple of {"start", "end", "unknown"}, default=()
        Which special tokens there are.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
        Unicode's form that texts are brought to before they are split, so that "é" is the same token as "e" with a
        combining accent; None takes texts as they are.

    Raises
    ------
    InvalidSequencesError
        If there are no tokens, or one is there twice, is neither a string nor an integer, or is not in the form.
    UnknownNameError
        If the level, a special token or the form is none of those.

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

    def __post_init__(self) -> None:
        check_choice("Vocabulary", "level", self.level, LEVELS)
        if self.normalize is not None:
            check_choice("Vocabulary", "normalize", self.normalize, FORMS)
        for name in self.special:
            check_choice("Vocabulary", "special", name, SPECIAL)
        kinds = {type(token) for token in self.tokens}
        if not kinds or not kinds <= {str, int} or len({*self.tokens}) < len(self.tokens):
            raise InvalidSequencesError("A vocabulary takes one token or more, strings or integers, each of them once.")
        other = [token for token in self.tokens if normalized([token], self.normalize) != [token]]
        if other:
            raise InvalidSequencesError(
                f"The token {other[0]!a} is not in the form {self.normalize!r}: bring the tokens to it, or set "
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
        """Return the vocabulary of all tokens in some texts, sorted.

        Parameters
        ----------
        texts : iterable of str or of list
            As `as_texts` returns them.
        level : {"char", "word", "token"}, default="char"
            What a token is.
        special : tuple of {"start", "end", "unknown"}, default=()
            Which special tokens there are.
        min_count : int, default=1
            Tokens that come less often are unknown, which has to be among the special ones then.
        normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
            Unicode's form that texts are brought to first.

        Raises
        ------
        InvalidSequencesError
            If no token is left, strings and integers are mixed, or min_count needs the special token "unknown".
        """
        check_choice("Vocabulary", "level", level, LEVELS)
        check_integer("Vocabulary", "min_count", min_count, minimum=1)
        if normalize is not None:
            check_choice("Vocabulary", "normalize", normalize, FORMS)
        if min_count > 1 and "unknown" not in special:
            raise InvalidSequencesError(
                f"min_count={min_count} leaves rare tokens out: add 'unknown' to the special tokens for them."
            )
        counts: Counter[Token] = Counter()
        for text in texts:
            counts.update(split_text(normalized(text, normalize), level))
        kept = [token for token, count in counts.items() if count >= min_count]
        if not kept:
            rare = f"no token that comes {min_count} times or more" if counts else "no tokens: all of them are empty"
            raise InvalidSequencesError(f"The texts have {rare}. Give longer ones.")
        if len({type(token) for token in kept}) > 1:
            raise InvalidSequencesError("The texts mix strings and integers as tokens: make them all one kind.")
        return cls(tuple(sorted(kept)), level, special, normalize)

    def __len__(self) -> int:
        """Return how many numbers there are: tokens and special tokens."""
        return len(self.special) + len(self.tokens)

    @property
    def names(self) -> list[str]:
        """What each number is called, special ones in angle brackets."""
        return [*(f"<{name}>" for name in self.special), *map(str, self.tokens)]

    @property
    def start(self) -> int:
        """The number of the special token before a text."""
        return self._special("start")

    @property
    def end(self) -> int:
        """The number of the special token after a text."""
        return self._special("end")

    @property
    def unknown(self) -> int:
        """The number of the special token for all that the vocabulary has not."""
        return self._special("unknown")

    def _special(self, name: str) -> int:
        if name not in self.special:
            raise InvalidSequencesError(f"This vocabulary has no special token {name!r}, only {[*self.special]}.")
        return self.special.index(name)

    @cached_property
    def _numbers(self) -> dict[Token, int]:
        return {token: number for number, token in enumerate(self.tokens, len(self.special))}

    def split(self, text: Text) -> list[Token]:
        """Return the tokens of a text in the vocabulary's form, known ones and others."""
        return split_text(normalized(text, self.normalize), self.level)

    def encode(self, text: Text, *, start: bool = False, end: bool = False) -> NDArray[np.int64]:
        """Return the numbers of a text's tokens, shape (n_tokens,), between the special start and end where asked for.

        Raises
        ------
        InvalidSequencesError
            If a token is not in the vocabulary, and that has no special token for unknown ones; names the place.
        """
        tokens = self.split(text)
        if "unknown" in self.special:
            unknown = self.unknown
            numbers = [self._numbers.get(token, unknown) for token in tokens]
        else:
            try:
                numbers = [self._numbers[token] for token in tokens]
            except KeyError:
                raise InvalidSequencesError(self._stranger(tokens)) from None
        before, after = [self.start] if start else [], [self.end] if end else []
        return np.array([*before, *numbers, *after], dtype=np.int64)

    def _stranger(self, tokens: list[Token]) -> str:
        step, token = next((i, token) for i, token in enumerate(tokens) if token not in self._numbers)
        kind = {"char": "character", "word": "word", "token": "token"}[self.level]
        hint = did_you_mean(token, self.tokens) if self.level != "char" else ""
        return (
            f"The {kind} {_told(token)} at step {step} is none of the {len(self.tokens)} that were in the training "
            f"texts.{hint} Replace it, or train on texts that have it."
        )

    def decode(self, numbers: Any) -> Text:
        """Return the text of token numbers of shape (n_tokens,): a string, or a list of tokens at the level "token".

        It goes to the first end, without starts; what is unknown reads "<unknown>".

        Raises
        ------
        InvalidSequencesError
            If a number is not the vocabulary's.
        """
        numbers = np.asarray(numbers).tolist()
        wrong = [number for number in numbers if not (number == int(number) and 0 <= number < len(self))]
        if wrong:
            raise InvalidSequencesError(f"{wrong[0]!r} is no token number: the vocabulary has 0 to {len(self) - 1}.")
        if "end" in self.special and self.end in numbers:
            numbers = numbers[: numbers.index(self.end)]
        skipped = self.special.index("start") if "start" in self.special else None
        return join_tokens([self.token(int(number)) for number in numbers if number != skipped], self.level)

    def token(self, number: int) -> Token:
        """Return the token of one number, or the name of a special one in angle brackets."""
        n_special = len(self.special)
        return self.tokens[number - n_special] if number >= n_special else f"<{self.special[number]}>"

    def __getstate__(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "level": self.level, "special": self.special, "normalize": self.normalize}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({"normalize": None, **state})  # older files know no form
        self.__post_init__()  # a file may hold anything


def _told(token: Token) -> str:
    """Return a token as errors show it: a single character that is not ASCII with its code point and name."""
    if not isinstance(token, str) or len(token) != 1 or token.isascii():
        return repr(token)
    return f"{token!r} (U+{ord(token):04X} {unicodedata.name(token, '')}".rstrip() + ")"
