"""Texts in Unicode's forms, missing ones, and damaged ones."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError, UnknownNameError
from seqpipe.transformers import FORMS, TokenizeTexts, Vocabulary, as_texts, cut_texts, is_texts

WORDS = ["caf\u00e9", "th\u00e9", "\u00fcber", "pi\u00f1ata"]
DECOMPOSED = [unicodedata.normalize("NFD", word) for word in WORDS]


@pytest.mark.parametrize("level", ["char", "word", "token"])
def test_composed_and_decomposed_letters_are_the_same_tokens(level: str) -> None:
    one, other = ([[word] for word in words] if level == "token" else words for words in (WORDS, DECOMPOSED))
    tokenizer = TokenizeTexts(level).fit(one)
    assert tokenizer.transform(other).values.tolist() == tokenizer.transform(one).values.tolist()
    assert TokenizeTexts(level).fit(other).vocabulary_ == tokenizer.vocabulary_


def test_without_a_form_texts_are_taken_as_they_are() -> None:
    tokenizer = TokenizeTexts("word", normalize=None).fit(WORDS)
    hint = r"Did you mean 'caf\u00e9' \('caf\\xe9', not 'cafe\\u0301'\)\?"
    with pytest.raises(InvalidSequencesError, match=hint):
        tokenizer.transform(DECOMPOSED)
    assert len(TokenizeTexts(normalize=None).fit(["\u00e9", "e\u0301"]).vocabulary_) == 3


@pytest.mark.parametrize("form", FORMS)
def test_tokens_are_in_the_form_that_is_asked_for(form: str) -> None:
    vocabulary = Vocabulary.of(["\ufb01n caf\u00e9"], normalize=form)
    assert "".join(vocabulary.decode(vocabulary.encode("\ufb01n caf\u00e9"))) == unicodedata.normalize(
        form, "\ufb01n caf\u00e9"
    )


def test_a_form_that_unicode_has_not_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="'normalize' parameter of Vocabulary must be one of .* Got 'NFX'"):
        Vocabulary.of(["ab"], normalize="NFX")
    with pytest.raises(ValueError, match="'normalize' parameter of TokenizeTexts"):
        TokenizeTexts(normalize="nfc").fit(["ab"])
    with pytest.raises(UnknownNameError, match="'normalize' parameter of cut_texts"):
        cut_texts(["ab"], window=1, normalize="NFX")


def test_a_vocabulary_holds_tokens_of_its_form() -> None:
    with pytest.raises(InvalidSequencesError, match=r"The token 'e\\u0301' is not in the form 'NFC'"):
        Vocabulary(("e\u0301",), "word")


def test_windows_of_texts_are_cut_between_letters() -> None:
    assert cut_texts(["e\u0301b"], window=1)[1].tolist() == ["\u00e9", "b"]
    assert cut_texts(["e\u0301b"], window=1, normalize=None)[1].tolist() == ["e", "\u0301", "b"]


def test_a_vocabulary_of_an_older_file_takes_texts_as_they_are() -> None:
    vocabulary = Vocabulary.__new__(Vocabulary)
    vocabulary.__setstate__({"tokens": ("e", "\u0301"), "level": "char", "special": ()})
    assert vocabulary.encode("e\u0301").tolist() == [0, 1]


def test_an_unknown_letter_is_named_as_unicode_names_it() -> None:
    with pytest.raises(InvalidSequencesError, match=r"'\u0430' \(U\+0430 CYRILLIC SMALL LETTER A\) at step 1"):
        Vocabulary.of(["ab"]).encode("b\u0430")


def test_a_number_is_not_taken_for_its_digits() -> None:
    with pytest.raises(InvalidSequencesError, match=r"The token '8' at step 0 .* Did you mean 8\?"):
        Vocabulary.of([[7, 8]], "token").encode(["8"])


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT, np.float64("nan")])
@pytest.mark.parametrize("level", ["char", "word", "token"])
def test_a_missing_text_is_named(missing: object, level: str) -> None:
    present = ["a"] if level == "token" else "a"
    with pytest.raises(InvalidSequencesError, match=r"^X, sample 1 is missing \(.*\): fill it or drop it"):
        as_texts([present, missing], level)


@pytest.mark.parametrize("dtype", ["string", "string[pyarrow]", "object", "category"])
def test_a_missing_text_of_a_series_is_named(dtype: str) -> None:
    with pytest.raises(InvalidSequencesError, match="^X, sample 2 is missing"):
        TokenizeTexts().fit(pd.Series(["a", "b", None], dtype=dtype))


def test_a_missing_token_is_named() -> None:
    with pytest.raises(
        InvalidSequencesError, match="sample 0, step 1: a token must be a string or an integer. Got <NA>"
    ):
        as_texts([["a", pd.NA]], "token")


def test_half_a_surrogate_pair_is_no_character() -> None:
    with pytest.raises(InvalidSequencesError, match=r"X, sample 1: .* an unpaired surrogate, '\\ud83d', at position 2"):
        as_texts(["ab", "ab\ud83d"], "char")
    with pytest.raises(InvalidSequencesError, match="X, sample 0, step 1: .* an unpaired surrogate"):
        as_texts([["a", "\udc00"]], "token")


@pytest.mark.parametrize("first", [None, pd.NA, 1, float("nan")])
def test_what_begins_with_no_text_is_no_list_of_texts(first: object) -> None:
    assert not is_texts([first, "a"])
