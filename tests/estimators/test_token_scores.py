"""Exact match, token accuracy and edit distance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.estimators import text_scores
from seqpipe.estimators._token_scores import edit_distances

words = st.text("ab", max_size=5)


def test_each_score_is_what_it_says() -> None:
    found = text_scores(["abc", "abc", "abcd", ""], ["abc", "abd", "ab", "x"])
    assert found == {"exact_match": 0.25, "token_accuracy": 7 / 11, "edit_distance": 1.0}


def test_words_are_compared_regardless_of_white_space() -> None:
    assert text_scores(["a  b\tc"], ["a b c"], level="word")["exact_match"] == 1.0
    assert text_scores([["a", "b"]], [["a", "c"]], level="token")["token_accuracy"] == 0.5


@pytest.mark.parametrize(
    ("a", "b", "distance"), [("kitten", "sitting", 3), ("", "abc", 3), ("flaw", "lawn", 2), ("same", "same", 0)]
)
def test_known_edit_distances(a: str, b: str, distance: int) -> None:
    assert edit_distances([a], [b]).tolist() == [distance]


@given(words, words, words)
def test_edit_distance_is_a_metric(a: str, b: str, c: str) -> None:
    ab, ba, bc, ac = edit_distances([a, b, b, a], [b, a, c, c]).tolist()
    assert ab == ba
    assert (ab == 0) == (a == b)
    assert ac <= ab + bc
    assert abs(len(a) - len(b)) <= ab <= max(len(a), len(b))


def test_nothing_against_nothing_is_right() -> None:
    assert text_scores([""], [""]) == {"exact_match": 1.0, "token_accuracy": 1.0, "edit_distance": 0.0}


def test_texts_are_compared_in_one_form() -> None:
    assert text_scores(["caf\u00e9"], ["cafe\u0301"])["exact_match"] == 1.0
    assert text_scores(["caf\u00e9"], ["cafe\u0301"], normalize=None)["exact_match"] == 0.0
