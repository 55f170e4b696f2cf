"""Validation data: held out at random, in stretches of overlapping windows, or not at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe import SequenceClassifier, SequenceRegressor
from seqpipe.estimators._overlap import overlap_reach
from seqpipe.estimators._validation_split import validation_split
from seqpipe.sequences import Sequences, Windows

SHORT = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)


def cut(series: np.ndarray, window: int, stride: int) -> Sequences:
    return Sequences.from_arrays([series[i : i + window] for i in range(0, len(series) - window + 1, stride)])


@given(window=st.integers(2, 40), stride=st.integers(1, 25), n_features=st.integers(1, 2))
@settings(deadline=None)
def test_windows_of_a_series_reach_as_far_as_half_of_them_is_shared(window: int, stride: int, n_features: int) -> None:
    found = overlap_reach(cut(rng.normal(size=(300, n_features)), window, stride))
    assert found == (window // 2) // stride


def test_windows_are_recognized_in_any_order() -> None:
    several = [cut(rng.normal(size=(100, 1)), 10, 1) for _ in range(7)]
    interleaved = Sequences.from_arrays([x for of_all in zip(*several) for x in of_all])
    assert overlap_reach(interleaved) == 7 * 5


def test_other_sequences_do_not_overlap() -> None:
    assert overlap_reach(Sequences.from_arrays(list(rng.normal(size=(50, 10, 1))))) == 0
    assert overlap_reach(Sequences.from_arrays(list(rng.integers(2, size=(500, 8, 1)).astype(float)))) == 0
    assert overlap_reach(Sequences.from_arrays([rng.normal(size=(n, 1)) for n in range(1, 30)])) == 0
    assert overlap_reach(Sequences.from_arrays([np.zeros((5, 1))] * 9)) == 0


@given(n=st.integers(300, 900), fraction=st.floats(0.05, 0.3), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_no_training_sample_is_next_to_a_held_out_one(n: int, fraction: float, seed: int) -> None:
    X = cut(rng.normal(size=(n + 9, 1)), 10, 1)
    train, valid = validation_split(X, fraction, seed=seed)
    apart = min(5, round(fraction * n) // 4)
    assert np.abs(train[:, None] - valid[None]).min() > apart
    assert len(valid) == pytest.approx(fraction * n, abs=4)
    assert len(train) >= n - 3 * len(valid)


@pytest.mark.parametrize(("n", "n_valid"), [(10, 2), (250, 50), (300, 60), (500, 60), (600, 60), (2000, 200)])
def test_a_tenth_is_held_out_and_of_few_samples_up_to_a_fifth(n: int, n_valid: int) -> None:
    train, valid = validation_split(Sequences.from_arrays(list(rng.normal(size=(n, 3, 1)))), "auto", seed=0)
    assert (len(train), len(valid)) == (n - n_valid, n_valid)


def test_held_out_stretches_lie_in_equal_parts_of_the_data() -> None:
    _, valid = validation_split(cut(rng.normal(size=(1009, 1)), 10, 1), 0.1, seed=0)
    assert np.bincount(valid // 250).tolist() == [25, 25, 25, 25]


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
@pytest.mark.parametrize(("n", "stops"), [(199, False), (200, True)])
def test_a_regressor_stops_early_if_it_has_sequences_to_spare(n: int, stops: bool) -> None:
    X = rng.normal(size=(n, 5, 1))
    model = SequenceRegressor(**SHORT).fit(X, X[:, 0, 0])
    assert ("valid_loss" in model.history_[0]) is stops


@pytest.mark.parametrize("model", [SequenceRegressor(**SHORT, early_stopping=False), SequenceClassifier(**SHORT)])
def test_otherwise_nothing_is_held_out(model: Any) -> None:
    X = rng.normal(size=(300, 5, 1))
    assert "valid_loss" not in model.fit(X, np.arange(300) % 3).history_[0]


def test_nothing_is_held_out_of_windows_or_by_partial_fit_unless_asked() -> None:
    series = rng.normal(size=(400, 1))
    X = Windows(series, np.arange(300), 8)
    model = SequenceRegressor(**SHORT).fit(X, series[8:308, 0])
    assert "valid_loss" not in model.history_[0]
    model = SequenceRegressor(**SHORT).partial_fit(np.asarray(X), series[8:308, 0])
    assert "valid_loss" not in model.history_[0]
