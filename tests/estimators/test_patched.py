"""Patches of neighbouring steps: chosen by the length of the data, kept, streamed, and measured in steps."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from seqpipe import Cell, SequenceClassifier, SequenceRegressor
from seqpipe.diagnostics import gradient_flow, hidden_states
from seqpipe.testing import check_estimator
from seqpipe.transformers import cut_windows

SHORT = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}


def noise(n_timesteps: int, n_samples: int = 12) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n_samples, n_timesteps, 2))


y = np.arange(12) % 2


@pytest.mark.parametrize(
    ("n_timesteps", "patch"), [(20, None), (119, None), (120, (8, 4)), (249, (8, 4)), (250, (16, 8))]
)
def test_long_sequences_are_read_in_patches(n_timesteps: int, patch: Any) -> None:
    model = SequenceClassifier(**SHORT).fit(noise(n_timesteps), y)
    assert model.patch_ == patch
    n_inputs = 2 if patch is None else 2 * patch[0]
    assert model.net_.module_.recurrent.cells[0].input_size == n_inputs


def test_the_mean_length_decides_for_ragged_sequences_and_windows() -> None:
    X = [x[:n] for x, n in zip(noise(250), [30, 250] * 6)]
    assert SequenceClassifier(**SHORT).fit(X, y).patch_ == (8, 4)
    assert SequenceClassifier(**SHORT).fit([x[:150] for x in X], y).patch_ is None
    windows = cut_windows(noise(131, n_samples=1), window=120)
    assert SequenceClassifier(**SHORT).fit(windows, y).patch_ == (8, 4)


def test_tokens_and_steps_that_are_tensors_are_read_one_by_one() -> None:
    tokens = np.arange(12 * 120).reshape(12, 120, 1) % 5
    assert SequenceClassifier(**SHORT, embedding=3).fit(tokens, y).patch_ is None
    assert SequenceClassifier(**SHORT, embedding=3, patch=(8, 8)).fit(tokens, y).patch_ == (8, 8)
    images = np.random.default_rng(0).normal(size=(12, 120, 2, 3))
    assert SequenceClassifier(**SHORT).fit(images, y).patch_ is None
    with pytest.raises(ValueError, match=r"'patch' parameter .* shape \(2, 3\): set patch=None"):
        SequenceClassifier(**SHORT, patch=(4, 2)).fit(images, y)


@pytest.mark.parametrize("patch", [(4, 5), (0, 0), (4,), (4, 2, 1), (4, 0), (4.0, 2), ("4", 2), (True, True)])
def test_what_is_no_patch_is_refused(patch: Any) -> None:
    with pytest.raises(
        ValueError, match=r"'patch' parameter of SequenceRegressor must be 'auto', None or \(length, st"
    ):
        SequenceRegressor(**SHORT, patch=patch).fit(noise(9), y)


@pytest.mark.slow
@pytest.mark.parametrize("model", [SequenceClassifier(**SHORT, patch=(4, 2)), SequenceRegressor(**SHORT, patch=[3, 3])])
def test_an_estimator_of_patches_keeps_the_contract(model: Any) -> None:
    check_estimator(model)


def test_a_fit_that_continues_keeps_its_patch() -> None:
    model = SequenceClassifier(**SHORT, warm_start=True).fit(noise(120), y)
    model.partial_fit(noise(20), y)
    assert model.fit(noise(20), y).patch_ == (8, 4)
    with pytest.raises(ValueError, match="does not match the fitted one"):
        model.set_params(patch=None).fit(noise(20), y)


def test_a_loaded_estimator_reads_the_same_patches() -> None:
    model = SequenceRegressor(**SHORT).fit(noise(120), y)
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.patch_ == (8, 4)
    np.testing.assert_array_equal(loaded.predict(noise(120)), model.predict(noise(120)))


def test_a_patch_is_searched() -> None:
    search = GridSearchCV(SequenceClassifier(**SHORT), {"patch": [None, (4, 2), (4, 4)]}, cv=2).fit(noise(16), y)
    assert search.best_estimator_.patch_ == search.best_params_["patch"]


class Sum(Cell):
    """h_t = 0.5 h_{t-1} + the first entry of x_t."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.weight = torch.nn.Parameter(torch.full((1,), 0.5))

    def initial_state(self, batch_size: int) -> Any:
        return self.weight.new_zeros(batch_size, 1)

    def step(self, x_t: Any, state: Any) -> Any:
        state = self.weight * state + x_t[:, :1]
        return state, state


@pytest.mark.parametrize("bidirectional", [False, True])
def test_diagnostics_have_one_value_per_time_step(bidirectional: bool) -> None:
    X = [x[:n] for x, n in zip(noise(40), [10, 25, 40] * 4)]
    model = SequenceRegressor("gru", **SHORT, patch=(4, 2), bidirectional=bidirectional).fit(X, y)
    flow = gradient_flow(model, X, y)
    assert flow.sample_norms.shape == (12, 1 + bidirectional, 40)
    assert np.isfinite(flow.sample_norms[0, :, :10]).all()
    assert np.isnan(flow.sample_norms[0, :, 10:]).all()
    states = hidden_states(model, X, sample=1)
    assert {values.shape for values in states.values} == {(25, 4)}
    assert np.isfinite(states.values[0]).all()


def test_the_gradient_falls_per_step_as_it_falls_per_patch() -> None:
    model = SequenceRegressor(Sum, hidden_size=1, max_epochs=1, patch=(4, 4), pooling="last", dtype="float64")
    X, targets = noise(80), np.arange(12.0)
    model.set_params(random_state=0, lr=1e-9, weight_decay=0.0).fit(X, targets)
    flow = gradient_flow(model, X, targets)
    np.testing.assert_allclose(flow.sample_norms[:, 0, 76] / flow.sample_norms[:, 0, 75], 2, rtol=1e-6)
    np.testing.assert_allclose(flow.sample_norms[:, 0, 72], flow.sample_norms[:, 0, 75])
    assert flow.growth == pytest.approx([0.5 ** (1 / 4)], rel=0.01)


def test_states_are_those_after_the_first_patch_with_the_step() -> None:
    model = SequenceRegressor(
        Sum, hidden_size=1, max_epochs=1, patch=(4, 4), scale_inputs=False, random_state=0, lr=1e-9
    )
    X = noise(10)
    model.fit(X, y)
    expected = [0.0]
    for start in (0, 4, 8):
        expected.append(0.5 * expected[-1] + X[0, start, 0])
    [states] = hidden_states(model, X, sample=0).values
    np.testing.assert_allclose(states[:, 0], np.repeat(expected[1:], [4, 4, 2]), rtol=1e-5)
