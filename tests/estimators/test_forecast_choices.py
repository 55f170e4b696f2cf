"""What a forecaster leaves to the data, and what it models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge

from seqpipe.estimators import Forecaster, SequenceRegressor
from seqpipe.exceptions import InvalidSequencesError

TINY = SequenceRegressor(hidden_size=4, max_epochs=1, random_state=0)
t = np.arange(200)
season = np.sin(2 * np.pi * t / 12)


def walk(seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=300))


def test_differences_are_taken_of_a_random_walk_and_not_of_noise() -> None:
    assert Forecaster(Ridge(), horizon=8).fit(walk()).difference_ == (1,)
    assert Forecaster(Ridge(), horizon=8).fit(np.diff(walk())).difference_ == ()


def test_errors_of_rounding_decide_nothing() -> None:
    assert Forecaster(Ridge(), window=6).fit(season).difference_ == ()


@pytest.mark.parametrize(
    ("difference", "lags"), [(False, ()), (True, (1,)), (12, (12,)), ([1, 12], (1, 12)), ((2,), (2,)), ([], ())]
)
def test_lags_of_differences_can_be_given(difference: object, lags: tuple[int, ...]) -> None:
    model = Forecaster(LinearRegression(), window=14, horizon=5, difference=difference).fit(
        season[:150] + 0.1 * t[:150]
    )
    assert model.difference_ == lags
    np.testing.assert_allclose(model.predict(50), season[150:] + 0.1 * t[150:], atol=1e-6)


@pytest.mark.parametrize("difference", [[0], [1, -2], [True], "yes", 1.5, ["a"]])
def test_lags_that_are_no_numbers_of_steps_are_refused(difference: object) -> None:
    with pytest.raises(ValueError, match="The 'difference' parameter of Forecaster must be"):
        Forecaster(Ridge(), window=4, difference=difference).fit(season)


@pytest.mark.parametrize("difference", ["auto", 12, [1, 12]])
def test_a_logarithm_turns_growth_into_a_trend(difference: object) -> None:
    series = np.exp(0.02 * t + 0.5 * season)
    model = Forecaster(LinearRegression(), window=14, transformation="log", difference=difference).fit(series[:150])
    np.testing.assert_allclose(model.predict(50), series[150:], rtol=1e-6)


def test_a_value_without_a_logarithm_is_named() -> None:
    with pytest.raises(
        InvalidSequencesError, match=r"transformation='log' requires positive values\. Got -1\.0 at time step 9"
    ):
        Forecaster(Ridge(), window=4, transformation="log").fit(np.r_[np.ones(9), -1.0, np.ones(50)])


def test_the_window_spans_two_seasons_of_the_dates() -> None:
    days = pd.Series(np.sin(np.arange(600) / 3), index=pd.date_range("2024-01-01", periods=600, freq="h"))
    assert Forecaster(Ridge()).fit(days).window_ == 48
    months = pd.Series(days.to_numpy()[:120], index=pd.period_range("2010-01", periods=120, freq="M"))
    assert (Forecaster(Ridge()).fit(months).season_, Forecaster(Ridge()).fit(months).window_) == (12, 24)
    assert Forecaster(Ridge(), season=20).fit(season).window_ == 40


def test_the_window_of_a_short_series_is_at_most_half_of_it() -> None:
    assert Forecaster(Ridge(), horizon=4).fit(season[:30]).window_ == 12
    assert Forecaster(Ridge()).fit(season[:4]).window_ == 1


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("shape", [(200,), (200, 2)])
def test_any_regressor_forecasts_from_flat_windows(horizon: int, shape: tuple[int, ...]) -> None:
    series = np.resize(np.repeat(season, 2) if len(shape) > 1 else season, shape)
    inner = GradientBoostingRegressor(n_estimators=30, random_state=0)
    model = Forecaster(inner, window=12, horizon=horizon, difference=False).fit(series[:180])
    assert model.blend_weight_ == 1.0
    np.testing.assert_allclose(model.predict(12), series[180:192], atol=0.3)


def test_ridge_is_ridge_on_scaled_lags() -> None:
    series = walk(1)
    model = Forecaster(Ridge(2.0), window=5, difference=False).fit(series)
    scaled = (series - series.mean()) / series.std()
    lags = np.lib.stride_tricks.sliding_window_view(scaled, 5)
    expected = Ridge(2.0).fit(lags[:-1], scaled[5:]).predict(lags[-1:])[0] * series.std() + series.mean()
    np.testing.assert_allclose(model.predict(1), [expected])


def test_the_forecast_does_not_depend_on_the_unit() -> None:
    model = Forecaster(clone(TINY), window=6, horizon=3)
    np.testing.assert_allclose(
        model.fit(1000 * walk() + 5e4).predict(), 1000 * clone(model).fit(walk()).predict() + 5e4, rtol=1e-4
    )


def test_a_network_that_learned_nothing_leaves_the_forecast_to_the_linear_one() -> None:
    series = season + 0.01 * np.random.default_rng(0).normal(size=200)
    model = Forecaster(TINY, window=24, horizon=12).fit(series[:180])
    assert model.blend_weight_ < 0.1
    assert np.abs(model.predict() - season[180:192]).mean() < 0.05
    alone = clone(model).set_params(blend=False).fit(series[:180])
    assert alone.blend_weight_ == 1.0
    assert np.abs(alone.predict() - season[180:192]).mean() > 0.1


def test_a_good_estimator_has_the_weight() -> None:
    series = np.zeros(400)  # the logistic map, of which a line knows nothing
    series[0] = 0.3
    for i in range(1, 400):
        series[i] = 3.9 * series[i - 1] * (1 - series[i - 1])
    inner = GradientBoostingRegressor(random_state=0)
    model = Forecaster(inner, window=2, blend=True, difference=False).fit(series)
    assert model.blend_weight_ > 0.95


def test_too_few_windows_to_compare_on_share_the_weight() -> None:
    assert Forecaster(TINY, window=4, horizon=2).fit(season[:14]).blend_weight_ == 0.5
