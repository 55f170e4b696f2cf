"""Texts to token numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from seqpipe.estimators import SequenceClassifier
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences
from seqpipe.transformers import TokenizeTexts, as_texts

TEXTS = ["abba", "cab", "b"]


@pytest.mark.parametrize(
    "given",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        np.array(TEXTS)[:, None],
        pd.Series(TEXTS),
        pd.Series(TEXTS, dtype="string"),
        pd.DataFrame({"text": TEXTS}),
    ],
    ids=lambda given: f"{type(given).__name__} {getattr(given, 'ndim', '')} {getattr(given, 'dtype', '')}",
)
def test_texts_of_any_kind_become_the_same_numbers(given: object) -> None:
    found = TokenizeTexts().fit_transform(given)
    assert isinstance(found, Sequences)
    assert [steps[:, 0].tolist() for steps in found] == [[0, 1, 1, 0], [2, 0, 1], [1]]


def test_lists_of_tokens_are_texts_too() -> None:
    tokenize = TokenizeTexts("token")
    assert tokenize.fit_transform([["C4", "D4"], np.array(["C4"])]).values.ravel().tolist() == [0, 1, 0]
    assert tokenize.inverse_transform([[[1.0], [1.0]]]) == [["D4", "D4"]]


def test_the_way_back_gives_the_texts() -> None:
    tokenize = TokenizeTexts().fit(TEXTS)
    assert tokenize.inverse_transform(tokenize.transform(TEXTS)) == TEXTS
    words = TokenizeTexts("word", lowercase=True).fit(["A  b\na"])
    assert words.inverse_transform(words.transform(["B a"])) == ["b a"]


def test_the_index_of_a_series_names_the_sequences() -> None:
    assert TokenizeTexts().fit_transform(pd.Series(TEXTS, index=["x", "y", "z"])).ids.tolist() == ["x", "y", "z"]


def test_new_tokens_are_an_error_or_a_token() -> None:
    with pytest.raises(InvalidSequencesError, match=r"X, sample 1: The character 'z' at step 0 .* unknown='token'"):
        TokenizeTexts().fit(TEXTS).transform(["ab", "z"])
    tokenize = TokenizeTexts(unknown="token").fit(TEXTS)
    assert tokenize.transform(["za"]).values.ravel().tolist() == [0, 1]


@pytest.mark.parametrize(
    ("level", "texts", "message"),
    [
        ("char", "abba", r"X must be a list, .* Got str instead: wrap a single text in a list"),
        ("char", None, "Got NoneType"),
        ("char", 3, "Got int"),
        ("char", [], r"0 sample\(s\)"),
        ("char", ["a", None], r"X, sample 1 is missing \(None\)"),
        ("char", ["a", np.nan], r"X, sample 1 is missing \(nan\)"),
        ("char", ["a", 3], "X, sample 1 must be a string at level='char'. Got 3"),
        ("word", [["a", "b"]], "X, sample 0 must be a string .* Got a list of tokens instead: set level='token'"),
        ("token", ["a"], "X, sample 0 must be a list of tokens .* for strings set level='char'"),
        ("token", [["a", 1.5]], r"X, sample 0, step 1: a token must be a string or an integer. Got 1\.5"),
        ("char", ["ab", ""], "X, sample 1 has no tokens: drop empty texts"),
        ("char", pd.DataFrame({"a": ["x"], "b": ["y"]}), "Got 2 columns"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(level: str, texts: object, message: str) -> None:
    with pytest.raises(InvalidSequencesError, match=message):
        TokenizeTexts(level).fit_transform(texts)


@pytest.mark.parametrize("parameters", [{"level": "letter"}, {"unknown": "ignore"}, {"min_count": 0}])
def test_a_parameter_that_is_none_of_its_values_is_refused(parameters: dict) -> None:
    with pytest.raises(ValueError, match="parameter of TokenizeTexts must be"):
        TokenizeTexts(**parameters).fit(TEXTS)


def test_texts_are_classified_in_a_pipeline_and_searched_over() -> None:
    texts = ["aab", "aaab", "aba", "bbba", "bba", "bab"] * 5
    labels = np.array(["a" if text.count("a") > text.count("b") else "b" for text in texts])
    net = SequenceClassifier(embedding="one_hot", hidden_size=8, max_epochs=20, random_state=0)
    model = make_pipeline(TokenizeTexts(), net)
    search = GridSearchCV(model, {"sequenceclassifier__embedding": ["one_hot", 3]}, cv=2, error_score="raise")
    assert search.fit(texts, labels).score(texts, labels) > 0.9
    assert clone(model).get_params()["tokenizetexts__level"] == "char"


def test_texts_are_left_as_they_were() -> None:
    given = [["a", "b"]]
    as_texts(given, "token")[0].append("c")
    assert given == [["a", "b"]]
