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


def panel_of(*series, names=("north", "south")):
    """Monthly series by their ids."""
    parts = [pd.Series(each, index=pd.date_range("2015-01-01", periods=len(each), freq="MS")) for each in series]
    return pd.concat(dict(zip(names, parts)), names=["plant", "month"])


def test_every_series_of_a_panel_has_its_own_origins():
    rng = np.random.default_rng(0)
    whole = panel_of(rng.normal(size=40), 100 * rng.normal(size=36))
    known = whole.groupby(level="plant").head(30)
    model = Forecaster(LastRow(), window=5, horizon=3, difference=False).fit(known)
    forecasts = model.backtest(whole.drop(known.index))
    last_values = {id: whole[id].to_numpy()[29:-3] for id in ("north", "south")}
    assert {id: each.shape for id, each in forecasts.items()} == {"north": (8, 3), "south": (4, 3)}
    for id, values in last_values.items():
        np.testing.assert_allclose(forecasts[id], np.repeat(values[:, None], 3, axis=1))


def test_series_without_later_rows_are_left_out_of_a_backtest():
    whole = panel_of(np.arange(40.0), np.arange(30.0))
    known = whole.groupby(level="plant").head(30)
    forecasts = (
        Forecaster(LastRow(), window=5, horizon=3, difference=False).fit(known).backtest(whole.drop(known.index))
    )
    assert list(forecasts) == ["north"]


def test_exogenous_columns_of_a_panel_are_those_of_the_steps_ahead_of_each_series():
    X = panel_of(np.arange(100.0, 140.0), np.arange(500.0, 540.0)).to_frame("x")
    y = X["x"] * 0
    known = X.groupby(level="plant").head(30).index
    model = Forecaster(LastRow(), window=5, horizon=2, difference=False).fit(X.loc[known], y.loc[known])
    forecasts = model.backtest(X.drop(known), y.drop(known))
    np.testing.assert_array_equal(forecasts["south"], [[x + x + 1] * 2 for x in range(530, 539)])


def test_a_series_of_a_panel_that_is_too_short_for_a_backtest_is_named():
    whole = panel_of(np.arange(40.0), np.arange(32.0))
    known = whole.groupby(level="plant").head(30)
    model = Forecaster(LastRow(), window=5, horizon=3).fit(known)
    with pytest.raises(InvalidSequencesError, match=r"Series 'south': backtest requires at least horizon=3 .* Got 2"):
        model.backtest(whole.drop(known.index))
