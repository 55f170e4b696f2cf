"""Ragged sequences of words to a label and to a value, on generated reviews."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from seqpipe import SequenceClassifier, SequenceRegressor, Sequences, StepClassifier, TokenizeTexts
from seqpipe.datasets import load_sentiment, make_reviews
from seqpipe.exceptions import DataWarning, InvalidSequencesError

SMALL = {"embedding": 16, "hidden_size": 32, "lr": 0.02, "max_epochs": 20, "random_state": 0}


@pytest.mark.slow
def test_a_gru_reads_a_label_and_a_value_from_ragged_words() -> None:
    texts, praise = make_reviews(1000, random_state=0)
    labels = np.where(praise > 0, "positive", "negative")
    reader = make_pipeline(TokenizeTexts("word"), SequenceClassifier(**SMALL)).fit(texts[:900], labels[:900])
    assert reader.score(texts[900:], labels[900:]) > 0.8
    judge = make_pipeline(TokenizeTexts("word"), SequenceRegressor(**SMALL)).fit(texts[:900], praise[:900])
    assert judge.score(texts[900:], praise[900:]) > 0.7
    praised, turned = judge.predict(["the plot was very moving .", "the plot was not very moving ."])
    assert praised > turned


def test_counted_words_tell_nothing() -> None:
    reviews = load_sentiment()
    counts = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=1000))
    assert abs(cross_val_score(counts, reviews.X, reviews.y, cv=3).mean() - 0.5) < 0.06


def test_reviews_are_all_different_clear_and_as_often_good_as_bad() -> None:
    texts, praise = make_reviews(2000, random_state=1)
    assert len(set(texts)) == 2000
    assert np.abs(praise).min() >= 0.25
    assert abs((praise > 0).mean() - 0.5) < 0.04
    assert np.unique([len(text.split()) for text in texts]).size > 10
    assert list(make_reviews(50, random_state=1)[0]) == list(texts[:50])


@pytest.fixture(scope="module")
def single() -> dict[str, float]:
    """Return reviews with one opinion: the statement about the subject, and its sentiment."""
    found = {}
    for text, praise in zip(*make_reviews(5000, random_state=0)):
        said = re.findall(r" (?:is|was|seemed|felt) ([a-z ]+) \.$", text)
        if len(re.findall(r"\b(?:is|was|seemed|felt)\b", text)) == 1:
            assert found.setdefault(said[0], praise) == praise
    return found


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("not superb", "superb"),
        ("good", "very good"),
        ("terrible", "a little terrible"),
        ("anything but charming", "anything but dull"),
        ("never great", "great"),
    ],
)
def test_negations_and_degrees_mean_what_they_say(single: dict[str, float], less: str, more: str) -> None:
    assert single[less] < single[more]


@pytest.mark.parametrize("n_samples", [0, 100_001])
def test_a_number_of_reviews_that_cannot_be_written_is_refused(n_samples: int) -> None:
    with pytest.raises(InvalidSequencesError, match=r"n_samples must be from 1 to 100,000. Got"):
        make_reviews(n_samples)


@pytest.mark.parametrize("model", [SequenceClassifier, StepClassifier])
def test_only_token_numbers_are_told_of_where_there_is_no_embedding(model: Any) -> None:
    settings = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}
    tokens = TokenizeTexts().fit_transform(["abba", "caba", "baab", "bbac"])
    by_step = np.arange(16).reshape(4, 4) % 2
    y = by_step if model is StepClassifier else by_step[:, 0] + np.arange(4) // 2
    with pytest.warns(DataWarning, match=f"X of {model.__name__} contains token numbers"):
        model(**settings).fit(tokens, y)
    model(**settings, embedding="one_hot").fit(tokens, y)
    model(**settings).fit(Sequences(tokens.values, tokens.offsets), y)
    model(**settings).fit(Sequences(tokens.values / 2, tokens.offsets, feature_names=["token"]), y)
