"""Predictions shrink towards the mean by as much as they do not generalize."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe import SequenceRegressor
from seqpipe.estimators._shrinkage import shrink_head, shrinkage


@given(seed=st.integers(0, 10**6), n=st.integers(2, 200))
@settings(deadline=None)
def test_factors_lie_between_0_and_1(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    factors = shrinkage(random.normal(size=(n, 3)), random.normal(size=(n, 3)), random.exponential(size=n))
    assert ((factors >= 0) & (factors <= 1)).all()


def test_right_predictions_stay_and_opposite_or_constant_ones_vanish() -> None:
    y = np.random.default_rng(0).normal(size=(100, 1))
    assert shrinkage(y, y) == pytest.approx(1)
    assert shrinkage(y / 2, y) == 1
    assert shrinkage(-y, y) == 0
    assert shrinkage(np.zeros_like(y), y) == 0


def test_predictions_that_are_twice_too_large_are_halved() -> None:
    random = np.random.default_rng(0)
    y = random.normal(size=(2000, 1))
    assert shrinkage(2 * y, y + 0.1 * random.normal(size=y.shape)) == pytest.approx(0.5, abs=0.01)


def test_noise_vanishes_and_its_weight_counts() -> None:
    random = np.random.default_rng(0)
    f, y = random.normal(size=(50, 1)), random.normal(size=(50, 1))
    assert np.mean([shrinkage(random.normal(size=(50, 1)), y) for _ in range(100)]) < 0.1
    right = np.arange(50) < 25
    mixed = np.where(right[:, None], y, f)
    assert shrinkage(mixed, y, right.astype(float)) == pytest.approx(1)


def test_outputs_shrink_towards_their_mean() -> None:
    head, x = torch.nn.Linear(4, 2).double(), torch.randn(5, 4).double()
    before = head(x).detach().numpy()
    shrink_head(head, np.array([0.0, 0.25]), np.array([3.0, -1.0]))
    after = head(x).detach().numpy()
    np.testing.assert_allclose(after[:, 0], 3)
    np.testing.assert_allclose(after[:, 1], -1 + 0.25 * (before[:, 1] + 1))


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
@pytest.mark.parametrize("scale_targets", [True, False])
def test_a_regressor_of_noise_predicts_the_mean_of_its_targets(scale_targets: bool) -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(1300, 4, 1)), random.normal(size=1300) + 5
    settings = {"hidden_size": 8, "max_epochs": 20, "random_state": 0, "scale_targets": scale_targets}
    assert SequenceRegressor(**settings).fit(X[:300], y[:300]).score(X[300:], y[300:]) > -0.02
    memorised = SequenceRegressor(**settings, early_stopping=False).fit(X[:300], y[:300])
    assert memorised.score(X[300:], y[300:]) < -0.02


def test_another_loss_is_not_shrunk_towards_the_mean() -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(300, 4, 1)), random.normal(size=300)
    settings = {"hidden_size": 8, "max_epochs": 5, "random_state": 0, "net_params": {"criterion": torch.nn.L1Loss}}
    assert SequenceRegressor(**settings).fit(X, y).predict(X).std() > 0
