"""Inputs that are standardized per sequence: without a trace of level and scale, or with them as inputs."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe import SequenceClassifier, SequenceRegressor
from seqpipe.networks import SequenceScaling
from seqpipe.testing import check_estimator

SHORT = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) * 10.0 ** rng.integers(-2, 3) + 5 for n in rng.integers(2, 12, size=40)]
y = np.arange(40) % 2


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), keep=st.booleans())
def test_every_sequence_has_mean_0_and_deviation_1_and_padding_does_not_count(lengths: list[int], keep: bool) -> None:
    scaling = SequenceScaling(2, keep=keep)
    x = torch.randn(len(lengths), max(lengths) + 1, 2).double() * 7 + 3
    x[torch.arange(x.shape[1]) >= torch.tensor(lengths)[:, None]] = torch.nan
    scaled, statistics = scaling(x, torch.tensor(lengths))
    for row, n in enumerate(lengths):
        torch.testing.assert_close(scaled[row, :n].mean(dim=0), torch.zeros(2).double(), rtol=0, atol=1e-9)
        expected = torch.ones(2).double() if n > 1 else torch.zeros(2).double()
        torch.testing.assert_close(scaled[row, :n].std(dim=0, correction=0), expected, rtol=0, atol=1e-6)
    assert (statistics is not None) is keep
    if statistics is not None:
        torch.testing.assert_close(statistics[0, :2], x[0, : lengths[0]].mean(dim=0))
        if lengths[0] > 1:
            torch.testing.assert_close(statistics[0, 2:], x[0, : lengths[0]].std(dim=0, correction=0).log())


def test_a_constant_feature_is_not_divided() -> None:
    x = torch.full((2, 5, 1), 0.1, dtype=torch.float64)
    scaled, statistics = SequenceScaling(1, keep=True)(x)
    assert scaled.abs().max() < 1e-15
    assert statistics is not None
    torch.testing.assert_close(statistics[0], torch.tensor([0.1, 0.0]).double())


@pytest.mark.parametrize("patch", [None, (4, 2)])
def test_level_and_scale_of_a_sequence_leave_no_trace(patch: Any) -> None:
    model = SequenceClassifier(**SHORT, scale_inputs="sequences", patch=patch, dtype="float64").fit(X, y)
    moved = [100 + 3 * x for x in X]
    np.testing.assert_allclose(model.predict_proba(moved), model.predict_proba(X), rtol=1e-6)


def test_level_and_scale_of_a_sequence_are_inputs_if_both_are_asked_for() -> None:
    model = SequenceClassifier(**SHORT, scale_inputs="both", dtype="float64").fit(X, y)
    assert model.net_.module_.recurrent.cells[0].input_size == 6
    assert not np.allclose(model.predict_proba([100 + 3 * x for x in X]), model.predict_proba(X), rtol=1e-3)
    means = np.array([x.mean(axis=0) for x in X])
    np.testing.assert_allclose(model.net_.module_.scaling.statistics.shift[:2], means.mean(axis=0))
    np.testing.assert_allclose(model.net_.module_.scaling.statistics.scale[:2], means.std(axis=0))


def test_features_means_true() -> None:
    by_name = SequenceRegressor(**SHORT, scale_inputs="features").fit(X, y)
    np.testing.assert_array_equal(
        by_name.predict(X), SequenceRegressor(**SHORT, scale_inputs=True).fit(X, y).predict(X)
    )


@pytest.mark.slow
@pytest.mark.parametrize("scale_inputs", ["sequences", "both"])
def test_an_estimator_keeps_the_contract_and_its_statistics(scale_inputs: str) -> None:
    model = SequenceClassifier(**SHORT, scale_inputs=scale_inputs)
    check_estimator(model)
    model.fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_a_stream_would_need_the_whole_sequence() -> None:
    with pytest.raises(ValueError, match=r"standardizes each sequence .* Fit with scale_inputs=True"):
        SequenceRegressor(**SHORT, scale_inputs="both").fit(X, y).stream()


@settings(max_examples=5, deadline=None)
@given(n=st.integers(2, 8))
def test_the_scale_of_tokens_is_not_changed(n: int) -> None:
    tokens = np.arange(20 * n).reshape(20, n, 1) % 3
    model = SequenceClassifier(**SHORT, embedding=2, scale_inputs="both").fit(tokens, np.arange(20) % 2)
    assert model.net_.module_.scaling is None
