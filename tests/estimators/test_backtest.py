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

    def fit(self, X, y):
        self.n_outputs_ = y.shape[1]
        return self

    def predict(self, X):
        return self.weight * np.repeat(np.asarray(X)[:, -1].sum(axis=1)[:, None], self.n_outputs_, axis=1)


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_the_last_value_is_known_at_each_origin(strategy):
    series = np.random.default_rng(0).normal(size=40)
    model = Forecaster(LastRow(), window=5, horizon=3, strategy=strategy).fit(series[:30])
    expected = np.repeat(series[29:37, None], 3, axis=1)
    np.testing.assert_array_equal(model.backtest(series[30:]), expected)


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_changes_are_added_to_the_level_at_each_origin(strategy):
    series = np.random.default_rng(0).normal(size=(40, 2))
    model = Forecaster(LastRow(weight=0.0), window=5, horizon=3, strategy=strategy, difference=True).fit(series[:30])
    expected = np.repeat(series[29:37, None], 3, axis=1)
    np.testing.assert_allclose(model.backtest(series[30:]), expected, atol=1e-14)


def test_exogenous_columns_are_those_of_the_steps_ahead():
    exogenous, y = np.arange(100.0, 140.0)[:, None], np.zeros(40)
    model = Forecaster(LastRow(), window=5, horizon=2).fit(exogenous[:30], y[:30])
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
    np.testing.assert_array_equal(forecasts[0], before)
    np.testing.assert_array_equal(model.predict(4), before)


def test_wrong_series_are_refused():
    series = np.zeros((40, 2))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        Forecaster().backtest(series)
    model = Forecaster(LastRow(), window=5, horizon=3).fit(series)
    with pytest.raises(InvalidSequencesError, match=r"backtest requires at least horizon=3 time steps\. Got 2"):
        model.backtest(series[:2])
    with pytest.raises(
        ValueError, match="fitted with 2 series and 0 exogenous columns. Got 1 and 0 instead: pass X and y as in fit"
    ):
        model.backtest(series[:, :1])
    with pytest.raises(ValueError, match="fitted with 2 series and 0 exogenous columns. Got 1 and 2"):
        model.backtest(series, series[:, 0])
