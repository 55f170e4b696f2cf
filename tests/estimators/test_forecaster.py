"""`Forecaster`: the steps after the end."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from seqpipe.estimators import Forecaster, SequenceRegressor, WindowedRegressor
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences

TINY = {"hidden_size": 16, "max_epochs": 60, "random_state": 0}
t = np.arange(240)
wave = np.sin(t / 4)
two = np.column_stack([wave, np.cos(t / 4)])


class LastRow(LinearRegression):
    """A linear model of the whole window, whose results can be computed by hand."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X, y):
        return super().fit(np.asarray(X).reshape(len(X), -1), y)

    def predict(self, X):
        return super().predict(np.asarray(X).reshape(len(X), -1))


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
@pytest.mark.parametrize("difference", [False, True])
def test_a_linear_recurrence_is_continued_exactly(strategy: str, difference: bool) -> None:
    model = Forecaster(LastRow(), window=4, horizon=5, strategy=strategy, difference=difference).fit(wave[:200])
    np.testing.assert_allclose(model.predict(40), wave[200:], atol=1e-6)


def test_differences_carry_a_trend_on() -> None:
    line = 3.0 * t + 7
    model = Forecaster(SequenceRegressor(**TINY), window=5, horizon=3, difference=True, blend=False).fit(line[:200])
    np.testing.assert_allclose(model.predict(40), line[200:], rtol=1e-6)


@pytest.mark.slow
def test_a_network_continues_a_wave() -> None:
    model = Forecaster(SequenceRegressor(hidden_size=16, random_state=0), window=25, horizon=10, blend=False).fit(
        wave[:200]
    )
    assert np.abs(model.predict() - wave[200:210]).mean() < 0.1


@pytest.mark.parametrize(
    ("series", "shape"),
    [
        (wave, (7,)),
        (wave[:, None], (7, 1)),
        (two, (7, 2)),
        (pd.DataFrame(two, columns=["a", "b"]), (7, 2)),
        (pd.Series(wave), (7,)),
        (wave.tolist(), (7,)),
    ],
)
def test_a_forecast_is_shaped_as_the_series(series, shape: tuple[int, ...]) -> None:
    assert Forecaster(LastRow(), window=4, horizon=3).fit(series).predict(7).shape == shape


def test_exogenous_columns_of_the_time_to_come_are_used() -> None:
    drive = np.random.default_rng(0).normal(size=(240, 1))
    target = drive[:, 0] + 0.5 * np.r_[0, drive[:-1, 0]]
    for horizon, strategy in ((1, "direct"), (4, "direct"), (4, "recursive")):
        model = Forecaster(LastRow(), window=3, horizon=horizon, strategy=strategy).fit(drive[:200], target[:200])
        assert model.score(drive[200:], target[200:]) > 0.999


def test_exogenous_columns_that_are_missing_are_asked_for() -> None:
    model = Forecaster(LastRow(), window=3, horizon=2).fit(two, wave)
    with pytest.raises(ValueError, match=r"fitted with 2 exogenous columns\. .*X of shape \(2, 2\)"):
        model.predict()


def test_window_and_cell_are_searched_with_the_plain_score() -> None:
    model = Forecaster(SequenceRegressor(**TINY), horizon=5, blend=False)
    grid = {"window": [2, 25], "estimator__cell": ["rnn"]}
    search = GridSearchCV(model, grid, cv=TimeSeriesSplit(2, test_size=20), error_score="raise").fit(wave)
    assert search.best_params_["window"] in (2, 25)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_series_that_is_too_short_is_refused_with_what_is_needed() -> None:
    with pytest.raises(InvalidSequencesError, match="n_samples=20 time steps is too short for window=24 and 3 steps"):
        Forecaster(window=24, horizon=3).fit(wave[:20])


def test_the_forecast_of_no_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="number of time steps to forecast must be >= 1"):
        Forecaster(LastRow(), window=4).fit(wave).predict(0)


@pytest.mark.parametrize("inner", [Forecaster, WindowedRegressor])
def test_an_estimator_around_another_is_cloned_with_it(inner) -> None:
    from sklearn.base import clone

    model = clone(inner(SequenceRegressor(**TINY), window=3))
    assert model.get_params()["estimator__hidden_size"] == 16


def dated(n: int, start: str = "2020-01-01") -> pd.DataFrame:
    return pd.DataFrame({"load": np.sin(np.arange(n) / 4)}, index=pd.date_range(start, periods=n, freq="D"))


def test_times_that_do_not_rise_are_refused() -> None:
    with pytest.raises(InvalidSequencesError, match=r"X, row 1: the rows are not in the order .*X\.sort_index"):
        Forecaster(LastRow(), window=4).fit(dated(60)[::-1])
    with pytest.raises(InvalidSequencesError, match="X and y have different times"):
        Forecaster(LastRow(), window=4).fit(dated(60), dated(60, "2021-01-01")["load"])


def test_arrow_times_that_fall_are_refused() -> None:
    frame = dated(60)
    frame.index = pd.Index(frame.index.to_series().astype("timestamp[ns][pyarrow]"))
    with pytest.raises(InvalidSequencesError, match="not in the order"):
        Forecaster(LastRow(), window=4).fit(frame[::-1])


def test_shuffled_rows_are_refused_in_every_method() -> None:
    rows = dated(60).reset_index(drop=True)
    model = Forecaster(LastRow(), window=4).fit(rows, rows["load"])
    for call in (model.fit, model.backtest, model.predict):
        with pytest.raises(InvalidSequencesError, match="rows of X must be in order of time"):
            call(rows[::-1], rows["load"]) if call != model.predict else call(rows[::-1])


def test_local_hours_are_forecast_over_the_end_of_summer_time_with_targets_in_another_zone() -> None:
    local = pd.date_range("2025-10-25", periods=60, freq="h", tz="Europe/Berlin")
    x, y = dated(60).set_index(local), dated(60)["load"].set_axis(local.tz_convert("UTC"))
    forecast = Forecaster(LastRow(), window=4).fit(x[:50], y[:50]).predict(x[50:])
    assert forecast.shape == (10,)
    with pytest.raises(InvalidSequencesError, match="a second time .* end of daylight saving time"):
        Forecaster(LastRow(), window=4).fit(x.tz_localize(None))


@pytest.mark.parametrize("several", [Sequences.from_arrays([wave, wave]), [two, two[:-1]]])
def test_several_sequences_are_no_series(several) -> None:
    with pytest.raises(
        InvalidSequencesError, match="Forecaster expects one series .* of 2 sequences: fit one Forecaster per"
    ):
        Forecaster(LastRow(), window=4).fit(several)


@pytest.mark.parametrize("n", [1, 3, 4, 6, 9])
def test_direct_forecasts_with_exogenous_columns_may_be_of_any_number_of_steps(n: int) -> None:
    drive = np.random.default_rng(0).normal(size=(240, 1))
    target = drive[:, 0] + 0.5 * np.r_[0, drive[:-1, 0]]
    model = Forecaster(LastRow(), window=3, horizon=4).fit(drive[:200], target[:200])
    np.testing.assert_allclose(model.predict(drive[200 : 200 + n]), target[200 : 200 + n], atol=1e-6)


def test_a_missing_value_in_a_series_is_named_with_its_row() -> None:
    holed = wave.copy()
    holed[17] = np.nan
    with pytest.raises(InvalidSequencesError, match="NaN: sample 0, step 17"):
        Forecaster(LastRow(), window=4).fit(holed)
