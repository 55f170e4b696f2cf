"""Sampling the next token."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.estimators._sampling import Sampling

LOGITS = np.log([[0.5, 0.1, 0.3, 0.1], [0.05, 0.6, 0.25, 0.1]])


def test_without_parameters_probabilities_are_the_softmax() -> None:
    np.testing.assert_allclose(Sampling().probabilities(LOGITS + 3), np.exp(LOGITS), rtol=1e-12)


def test_a_temperature_divides_the_logits() -> None:
    expected = np.exp(LOGITS / 0.5) / np.exp(LOGITS / 0.5).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Sampling(0.5).probabilities(LOGITS), expected, rtol=1e-12)


def test_the_colder_the_closer_to_the_likeliest_token() -> None:
    likeliest = [Sampling(temperature).probabilities(LOGITS)[0, 0] for temperature in (2, 1, 0.5, 0.1, 0.01)]
    assert likeliest == sorted(likeliest)
    assert likeliest[-1] > 1 - 1e-12
    assert Sampling(0).probabilities(LOGITS).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]


def test_top_k_keeps_exactly_the_likeliest() -> None:
    found = Sampling(top_k=2).probabilities(LOGITS)
    np.testing.assert_allclose(found, [[0.625, 0, 0.375, 0], [0, 0.6 / 0.85, 0.25 / 0.85, 0]], rtol=1e-12)
    assert (Sampling(top_k=1).probabilities(np.zeros((1, 5))) > 0).sum() == 1  # all alike, one is kept
    np.testing.assert_allclose(Sampling(top_k=9).probabilities(LOGITS), np.exp(LOGITS), rtol=1e-12)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.4, [0]), (0.51, [0, 2]), (0.79, [0, 2]), (0.85, [0, 1, 2]), (1, [0, 1, 2, 3])]
)
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p: float, kept: list[int]) -> None:
    found = Sampling(top_p=top_p).probabilities(LOGITS[:1])[0]
    assert np.flatnonzero(found).tolist() == kept
    np.testing.assert_allclose(found[kept], np.exp(LOGITS[0, kept]) / np.exp(LOGITS[0, kept]).sum(), rtol=1e-12)


def test_top_p_counts_what_temperature_and_top_k_have_left() -> None:
    found = Sampling(top_k=2, top_p=0.6).probabilities(LOGITS[:1])[0]
    assert np.flatnonzero(found).tolist() == [0]  # 0.5 of 0.8 is 0.625


@settings(max_examples=60)
@given(
    logits=st.lists(st.floats(-30, 30, width=16), min_size=2, max_size=8),
    temperature=st.floats(0.1, 10),
    top_k=st.none() | st.integers(1, 9),
    top_p=st.none() | st.floats(0.01, 1),
)
def test_probabilities_sum_to_one_and_keep_the_order(logits, temperature, top_k, top_p) -> None:
    found = Sampling(temperature, top_k, top_p).probabilities(np.array([logits]))[0]
    assert found.sum() == pytest.approx(1)
    kept = np.flatnonzero(found)
    left = np.setdiff1d(np.arange(len(logits)), kept)
    assert found[np.argmax(logits)] > 0
    if len(left) and top_p is not None:
        assert np.array(logits)[left].max() <= np.array(logits)[kept].min()


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    drawn = Sampling().draw(np.repeat(LOGITS[:1], 20_000, axis=0), np.random.RandomState(0))
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, np.exp(LOGITS[0]), atol=0.01)


def test_what_has_no_probability_is_never_drawn() -> None:
    logits = np.repeat(np.log([[0.0 + 1e-300, 1.0, 1e-300]]), 1000, axis=0)
    logits[:, [0, 2]] = -np.inf
    assert set(Sampling().draw(logits, np.random.RandomState(0)).tolist()) == {1}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"temperature": -1}, "'temperature' parameter of generate must be a finite number >= 0. Got -1"),
        ({"temperature": np.nan}, "'temperature'"),
        ({"temperature": "hot"}, "Got 'hot'"),
        ({"top_k": 0}, "'top_k' parameter of generate must be an int >= 1 or None. Got 0"),
        ({"top_k": 2.5}, "Got 2.5"),
        ({"top_p": 0}, r"'top_p' parameter of generate must be in \(0, 1\] or None. Got 0"),
        ({"top_p": 1.5}, "Got 1.5"),
    ],
)
def test_a_parameter_out_of_range_is_refused(parameters: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**parameters)
