"""Tokens and their numbers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError, UnknownNameError
from seqpipe.transformers import SPECIAL, Vocabulary

texts_of = {
    "char": st.text(max_size=12),
    "word": st.lists(st.text("abc<>", min_size=1, max_size=3), max_size=6).map(" ".join),
    "token": st.lists(st.integers(-5, 5), max_size=6),
}


@settings(max_examples=50)
@given(
    data=st.data(),
    level=st.sampled_from(["char", "word", "token"]),
    special=st.sets(st.sampled_from(SPECIAL)).map(sorted),
)
def test_what_is_encoded_can_be_decoded(data: st.DataObject, level: str, special: list[str]) -> None:
    texts = data.draw(st.lists(texts_of[level], min_size=1, max_size=4).filter(any))
    vocabulary = Vocabulary.of(texts, level, special=tuple(special))
    for text in texts:
        numbers = vocabulary.encode(text, start="start" in special, end="end" in special)
        assert numbers.dtype == np.int64
        assert set(numbers.tolist()) <= set(range(len(vocabulary)))
        assert vocabulary.decode(numbers) == text


def test_special_tokens_come_first_and_tokens_in_order() -> None:
    vocabulary = Vocabulary.of(["cab", "b"], special=("start", "end", "unknown"))
    assert vocabulary.names == ["<start>", "<end>", "<unknown>", "a", "b", "c"]
    assert (vocabulary.start, vocabulary.end, vocabulary.unknown, len(vocabulary)) == (0, 1, 2, 6)


def test_a_word_that_is_written_like_a_special_token_is_none() -> None:
    vocabulary = Vocabulary.of(["<end> a"], "word", special=("end",))
    assert vocabulary.encode("<end> a", end=True).tolist() == [1, 2, 0]
    assert vocabulary.decode([1, 2, 0, 2]) == "<end> a"


def test_what_is_unknown_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidSequencesError, match=r"The character 'z' at step 2 is not one of the 2 in the training"):
        Vocabulary.of(["ab"]).encode("abz")
    with pytest.raises(InvalidSequencesError, match=r"The word 'hause' at step 1 .* Did you mean 'house'\?"):
        Vocabulary.of(["the house"], "word").encode("the hause")


def test_rare_and_new_tokens_are_unknown_where_that_is_a_token() -> None:
    vocabulary = Vocabulary.of(["aab", "ac"], special=("unknown",), min_count=2)
    assert vocabulary.tokens == ("a",)
    assert vocabulary.encode("abz").tolist() == [1, 0, 0]
    assert vocabulary.decode([1, 0]) == "a<unknown>"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Vocabulary.of([""]), "no tokens: all of them are empty"),
        (lambda: Vocabulary.of(["ab"], min_count=2), "add 'unknown' to the special tokens"),
        (lambda: Vocabulary.of([["a", 1]], "token"), "mix strings and integers"),
        (lambda: Vocabulary(("a", "a")), "must be unique"),
        (lambda: Vocabulary(("a", 1.5)), "must be unique"),
        (lambda: Vocabulary.of(["ab"]).end, "has no special token 'end'"),
        (lambda: Vocabulary.of(["ab"]).decode([2]), "2 is not a token index: the indices of the vocabulary are 0 to 1"),
    ],
)
def test_a_vocabulary_that_cannot_be_is_refused(make, message: str) -> None:
    with pytest.raises(InvalidSequencesError, match=message):
        make()


@pytest.mark.parametrize("parameters", [{"level": "chars"}, {"special": ("begin",)}])
def test_a_name_that_is_none_is_refused(parameters: dict) -> None:
    with pytest.raises(UnknownNameError, match="of Vocabulary must be one of"):
        Vocabulary(("a",), **parameters)


def test_a_vocabulary_is_kept_without_pickle_as_plain_data() -> None:
    vocabulary = Vocabulary.of([[3, 1], [2]], "token", special=("end",))
    vocabulary.encode([1])
    kept = skops.io.dumps(vocabulary)
    assert skops.io.get_untrusted_types(data=kept) == ["seqpipe.transformers._vocabulary.Vocabulary"]
    for again in (
        pickle.loads(pickle.dumps(vocabulary)),
        skops.io.loads(kept, trusted=[f"{Vocabulary.__module__}.Vocabulary"]),
    ):
        assert again == vocabulary
        assert again.encode([2]).tolist() == [2]


def test_a_file_that_holds_no_vocabulary_is_refused() -> None:
    with pytest.raises(InvalidSequencesError, match="must be unique"):
        Vocabulary(("a",)).__setstate__({"tokens": ("a", "a"), "level": "char", "special": ()})
