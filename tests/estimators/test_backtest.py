"""Forecasts from every origin after the training data."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import NotFittedError

from seqpipe import Forecaster, SequenceRegressor
from seqpipe.exceptions import InvalidSequencesError


class LastRow(RegressorMixin, BaseEstimator):
    """Predict ``n_outputs`` times the sum of the last row of each window, or zeros."""

    def __init__(self, weight=1.0):
        self.weight = weight

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X, y):
        self.n_outputs_ = y.shape[1]
        return self

    def predict(self, X):
        return self.weight * np.repeat(np.asarray(X)[:, -1].sum(axis=1)[:, None], self.n_outputs_, axis=1)


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_the_last_value_is_known_at_each_origin(strategy):
    series = np.random.default_rng(0).normal(size=40)
    model = Forecaster(LastRow(), window=5, horizon=3, strategy=strategy, difference=False).fit(series[:30])
    expected = np.repeat(series[29:37, None], 3, axis=1)
    np.testing.assert_allclose(model.backtest(series[30:]), expected)


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_mean_changes_are_added_to_the_level_at_each_origin(strategy):
    series = np.random.default_rng(0).normal(size=(40, 2))
    model = Forecaster(LastRow(weight=0.0), window=5, horizon=3, strategy=strategy, difference=True).fit(series[:30])
    drift = np.diff(series[:30], axis=0).mean(axis=0)
    expected = series[29:37, None] + drift * np.arange(1, 4)[:, None]
    np.testing.assert_allclose(model.backtest(series[30:]), expected, atol=1e-12)


def test_exogenous_columns_are_those_of_the_steps_ahead():
    exogenous, y = np.arange(100.0, 140.0)[:, None], np.zeros(40)
    model = Forecaster(LastRow(), window=5, horizon=2, difference=False).fit(exogenous[:30], y[:30])
    expected = [[x + x + 1] * 2 for x in exogenous[30:39, 0]]
    np.testing.assert_array_equal(model.backtest(exogenous[30:], y[30:]), expected)


@pytest.mark.parametrize("difference", [False, True])
def test_the_first_origin_is_predicts(difference):
    series = pd.DataFrame({"a": np.sin(np.arange(60) / 3), "b": np.cos(np.arange(60) / 3)})
    network = SequenceRegressor(hidden_size=4, max_epochs=1, random_state=0)
    model = Forecaster(network, window=10, horizon=4, difference=difference).fit(series[:50])
    before = model.predict(4)
    forecasts = model.backtest(series[50:])
    assert forecasts.shape == (7, 4, 2)
    np.testing.assert_allclose(forecasts[0], before, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(model.predict(4), before)


def test_wrong_series_are_refused():
    series = np.zeros((40, 2))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        Forecaster().backtest(series)
    model = Forecaster(LastRow(), window=5, horizon=3).fit(series)
    with pytest.raises(InvalidSequencesError, match=r"backtest requires at least horizon=3 time steps\. Got 2"):
        model.backtest(series[:2])
    with pytest.raises(ValueError, match="X has 1 features, but Forecaster is expecting 2"):
        model.backtest(series[:, :1])
    with pytest.raises(ValueError, match="fitted without exogenous columns: pass what followed as one array"):
        model.backtest(series, series[:, 0])
    driven = Forecaster(LastRow(), window=5, horizon=3).fit(series, series)
    with pytest.raises(ValueError, match=r"fitted with exogenous columns: pass what followed as a pair \(X, y\)"):
        driven.predict(series, history=series)
    with pytest.raises(ValueError, match="fitted to 2 series. Got 1 instead: pass y as in fit"):
        driven.backtest(series, series[:, 0])
