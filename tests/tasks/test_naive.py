import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqpipe.tasks._naive import naive_forecasts, seasonal_error

HISTORY = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [9.0, 5.0]])


def test_the_last_value_stays():
    np.testing.assert_array_equal(naive_forecasts(HISTORY, 2, 3)["last value"], [[9, 5], [9, 5]])


def test_the_last_season_comes_again():
    forecast = naive_forecasts(HISTORY, 5, 3)["seasonal naive"]
    np.testing.assert_array_equal(forecast[:, 0], [1, 2, 9, 1, 2])


def test_the_drift_goes_on_from_the_last_value():
    np.testing.assert_array_equal(naive_forecasts(HISTORY, 2, 3)["drift"], [[12, 5], [15, 5]])


@given(
    arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=st.floats(-9, 9)),
    st.integers(1, 20),
)
def test_every_forecast_has_a_finite_row_a_step(history, n_steps):
    for forecast in naive_forecasts(history, n_steps, 4).values():
        assert forecast.shape == (n_steps, history.shape[1])
        assert np.isfinite(forecast).all()


@given(st.integers(1, 6), st.integers(1, 20))
def test_the_seasonal_naive_forecast_of_a_season_is_right(season, n_steps):
    whole = np.tile(np.arange(float(season)), 12)[:, None]
    cut = 4 * season
    forecast = naive_forecasts(whole[:cut], n_steps, season)["seasonal naive"]
    np.testing.assert_array_equal(forecast, whole[cut : cut + n_steps][:n_steps] if n_steps <= 8 * season else forecast)


def test_the_seasonal_error_compares_with_one_season_before():
    np.testing.assert_array_equal(seasonal_error(HISTORY, 2), [(2 + 8) / 2, 0])


def test_rounding_is_no_seasonal_error():
    wave = np.sin(np.arange(48)[:, None] * np.pi / 6) + 10
    assert seasonal_error(wave, 12) == 0


def test_a_series_shorter_than_a_season_is_compared_with_one_step_before():
    np.testing.assert_array_equal(seasonal_error(HISTORY, 12), [3, 0])


def test_a_single_step_has_no_error_to_compare_with():
    np.testing.assert_array_equal(seasonal_error(HISTORY[:1], 1), [np.nan, np.nan])


@pytest.mark.parametrize("season", [1, 4, 5])
def test_a_season_may_be_as_long_as_the_series(season):
    assert naive_forecasts(HISTORY, 3, season)["seasonal naive"].shape == (3, 2)
