"""Windows of each sequence and of each text, and what stands before their beginnings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows
from seqpipe.transformers import cut_texts, cut_windows

lengths_of_samples = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@given(lengths=lengths_of_samples, window=st.integers(1, 6), stride=st.integers(1, 6), every_step=st.booleans())
def test_windows_end_with_the_sequence_and_lose_no_step(
    lengths: list[int], window: int, stride: int, every_step: bool
) -> None:
    stride = min(stride, window)
    values = np.arange(1.0, sum(lengths) + 1)
    X = Sequences(values, np.cumsum([0, *lengths]))
    windows = cut_windows(X, window=window, stride=stride, pad_value=-1, every_step=every_step)
    cut = np.asarray(windows)[:, :, 0]
    for i, steps in enumerate(X):
        own = cut[windows.series == i]
        assert own[-1, -1] == steps[-1]
        ends = [stride * k for k in range(len(own))]
        padded = np.concatenate([np.full(window + ends[-1], -1.0), steps[:, 0]])
        for row, back in zip(own[::-1], ends):
            np.testing.assert_array_equal(row, padded[len(padded) - back - window : len(padded) - back])
        covered = own[:, -stride:] if every_step else own
        assert set(covered.ravel()) - {-1} == set(steps.ravel())
        assert not (own[1:] == -1).all(axis=1).any()
        assert (own[0] != -1).any()


def test_windows_of_several_features_keep_names_and_type() -> None:
    X = Sequences(np.ones((5, 2), dtype=np.float32), [0, 3, 5], feature_names=["speed", "heat"])
    windows = cut_windows(X, window=4, stride=2)
    assert windows.shape == (2, 4, 2)
    assert (windows.feature_names, windows.dtype, windows.horizon) == (("speed", "heat"), np.float32, 0)
    assert windows.series.tolist() == [0, 1]


def test_windows_may_be_cut_again() -> None:
    twice = cut_windows(Windows(np.arange(6.0), [0, 2], 4), window=2, stride=2)
    assert np.asarray(twice)[:, :, 0].tolist() == [[0, 1], [2, 3], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"window": 0}, "'window' parameter of cut_windows must be an integer of at least 1. Got 0"),
        ({"window": 2, "stride": 0}, "'stride' parameter of cut_windows must be an integer of at least 1. Got 0"),
        ({"window": 2, "pad_value": "#"}, "'pad_value' parameter of cut_windows must be a number. Got '#'"),
        ({"window": 2, "stride": 3, "every_step": True}, "Windows of 2 steps every 3 leave steps out"),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSequencesError, match=message):
        cut_windows([[1.0, 2.0, 3.0]], **given)


def test_every_character_is_a_target_after_its_padded_window() -> None:
    windows, targets, sources = cut_texts(["Hello world!", "Hi"], window=3)
    assert list(zip(windows, targets))[:4] == [("###", "H"), ("##H", "e"), ("#He", "l"), ("Hel", "l")]
    assert list(zip(windows, targets))[-3:] == [("rld", "!"), ("###", "H"), ("##H", "i")]
    assert sources.tolist() == [0] * 12 + [1] * 2


def test_windows_of_words_share_the_label_of_their_text() -> None:
    texts = ["This is a great movie.", "Awful."]
    windows, labels, sources = cut_texts(texts, ["positive", "negative"], window=3, level="word")
    assert windows == ["This is a", "is a great", "a great movie.", "# # Awful."]
    assert labels.tolist() == ["positive"] * 3 + ["negative"]
    assert sources.tolist() == [0, 0, 0, 1]


def test_strides_step_over_targets_and_leave_no_labelled_token_out() -> None:
    windows, targets, _ = cut_texts(["abcde"], window=2, stride=2)
    assert (windows, targets.tolist()) == (["##", "ab", "cd"], ["a", "c", "e"])
    windows, _, _ = cut_texts(["abcde"], [1], window=2, stride=2)
    assert windows == ["#a", "bc", "de"]


def test_tokens_stay_lists() -> None:
    windows, targets, _ = cut_texts([[7, 8]], window=2, level="token", pad=-1)
    assert (windows, targets.tolist()) == ([[-1, -1], [-1, 7]], [7, 8])


@pytest.mark.parametrize(
    ("texts", "given", "message"),
    [
        (["a", ""], {"window": 2}, "texts, sample 1 has no tokens"),
        (["a", 3], {"window": 2}, "texts, sample 1 must be a string at level='char'"),
        (["a"], {"window": 2.0}, "'window' parameter of cut_texts must be an integer"),
        (["a", "b"], {"window": 2, "y": [1]}, r"one label for each of 2 texts. Got shape \(1,\)"),
    ],
)
def test_texts_that_cannot_be_cut_are_refused(texts: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSequencesError, match=message):
        cut_texts(texts, **given)
