"""One model for several series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

import seqpipe
from seqpipe.estimators import Forecaster, SequenceRegressor
from seqpipe.exceptions import InvalidSequencesError

MONTHS = pd.date_range("2015-01-01", periods=72, freq="MS", name="month")
WAVE = pd.Series(np.sin(np.arange(72) / 3), index=MONTHS, name="load")
NORTH, SOUTH = WAVE[:60], 1000 * WAVE[12:50] + 5000
PANEL = pd.concat({"north": NORTH, "south": SOUTH}, names=["plant"])

DAYS = pd.concat({"west": WAVE.set_axis(pd.date_range("2015-01-01", periods=72, name="month"))}, names=["plant"])


def ridge(**params) -> Forecaster:
    return Forecaster(Ridge(1e-6), **{"window": 12, "horizon": 3, "difference": False, **params})


def test_a_panel_is_forecast_per_id_after_the_end_of_each_series() -> None:
    forecast = ridge().fit(PANEL).predict(6)
    assert isinstance(forecast, pd.Series)
    assert forecast.index.names == ["plant", "month"]
    assert forecast.loc["north"].index.tolist() == MONTHS[60:66].tolist()
    assert forecast.loc["south"].index.tolist() == MONTHS[50:56].tolist()
    np.testing.assert_allclose(forecast["north"], WAVE[60:66], atol=0.1)
    np.testing.assert_allclose(forecast["south"], 1000 * WAVE[50:56] + 5000, atol=100)


def test_a_panel_of_one_series_is_that_series() -> None:
    one = ridge().fit(PANEL.loc[["north"]]).predict(3)
    np.testing.assert_allclose(one, ridge().fit(NORTH).predict(3))
    assert one.index.get_level_values("plant").tolist() == ["north"] * 3


def test_the_model_is_shared_and_each_series_scaled_by_itself() -> None:
    far = pd.concat({"north": NORTH, "south": 1e6 * NORTH}, names=["plant"])
    forecast = ridge().fit(far).predict(3)
    np.testing.assert_allclose(1e6 * forecast["north"], forecast["south"])
    model = ridge().fit(PANEL)
    windows, targets = model.inner_samples(PANEL)
    assert (len(windows), targets.shape[1]) == (60 - 14 + 38 - 14, 3)


@pytest.mark.parametrize("order", ["by time", "by id"])
def test_rows_of_an_id_need_not_be_adjacent(order: str) -> None:
    rows = PANEL if order == "by id" else PANEL.sort_index(level="month", kind="stable")
    pd.testing.assert_series_equal(
        ridge().fit(rows).predict(2).sort_index(), ridge().fit(PANEL).predict(2).sort_index()
    )


def test_several_levels_identify_a_series() -> None:
    deep = pd.concat({"A": PANEL, "B": PANEL + 1}, names=["country"])
    forecast = ridge().fit(deep).predict(2)
    assert forecast.index.names == ["country", "plant", "month"]
    np.testing.assert_allclose(forecast["A"] + 1, forecast["B"])


def test_exogenous_columns_of_a_panel_are_given_per_id() -> None:
    frame = PANEL.to_frame().assign(offer=np.arange(len(PANEL)) % 5.0)
    frame["load"] = frame["offer"] * np.where(frame.index.get_level_values(0) == "north", 1, 10)
    last = frame.groupby(level="plant").tail(4)
    train = frame.drop(last.index)
    forecast = ridge().fit(train[["offer"]], train["load"]).predict(last[["offer"]])
    pd.testing.assert_series_equal(forecast, last["load"], atol=1e-3)


def test_history_is_given_for_some_ids() -> None:
    model = ridge().fit(PANEL)
    later = model.predict(2, history=pd.concat({"south": 1000 * WAVE[50:53] + 5000}, names=["plant"]))
    assert later.loc["south"].index.tolist() == MONTHS[53:55].tolist()
    assert later.loc["north"].index.tolist() == MONTHS[60:62].tolist()
    np.testing.assert_allclose(later["south"], 1000 * WAVE[53:55] + 5000, atol=100)


def test_a_network_forecasts_a_panel_that_is_saved_and_loaded(tmp_path) -> None:
    network = SequenceRegressor(hidden_size=4, max_epochs=1, random_state=0)
    model = Forecaster(network, window=12, horizon=3).fit(PANEL)
    seqpipe.save(model, tmp_path / "panel.seqpipe")
    pd.testing.assert_series_equal(seqpipe.load(tmp_path / "panel.seqpipe").predict(4), model.predict(4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ridge().fit(PANEL.drop(("south", MONTHS[20]))), "Series 'south': X has no row for 2016-09-01"),
        (lambda: ridge().fit(PANEL[::-1]), "Series '.*': X, row 1: the rows are not in the order"),
        (lambda: ridge().fit(PANEL.groupby(level=0).head(10)), "Series 'north': A series of n_samples=10"),
        (lambda: ridge().fit(PANEL.to_frame(), PANEL[::-1]), "X and y have different ids or times"),
        (
            lambda: ridge().fit(PANEL).predict(PANEL.rename({"south": "sout"})),
            "X has the series 'sout', .*Did you mean 'south'",
        ),
        (lambda: ridge().fit(PANEL).predict(WAVE), "fitted to a panel of 2 series: pass X with the same levels"),
        (lambda: ridge().fit(NORTH).predict(PANEL), "fitted to a single series without ids"),
        (
            lambda: ridge().fit(PANEL).predict(history=PANEL),
            "Series 'north': history: the rows of history must continue",
        ),
        (lambda: ridge().fit(PANEL).backtest(WAVE), "fitted to a panel of 2 series: pass history with the same levels"),
        (
            lambda: ridge().fit(pd.concat([PANEL, DAYS])),
            "series 'north' have the frequency 'MS', those of 'west' .* 'D'",
        ),
        (
            lambda: ridge().fit(pd.concat([PANEL, PANEL[:1]])),
            "Series 'north': X, row 60: the rows are not in the order",
        ),
        (lambda: ridge().fit(PANEL.iloc[[0, *range(len(PANEL))]]), "Series 'north': X, row 1: .* a second time"),
    ],
    ids=[
        "gap",
        "order",
        "short",
        "unaligned",
        "unknown id",
        "no ids",
        "ids",
        "history",
        "backtest",
        "frequencies",
        "late",
        "twice",
    ],
)
def test_wrong_panels_are_refused_by_id(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_errors_of_panels_are_those_of_data() -> None:
    with pytest.raises(InvalidSequencesError, match=r"NaN: sample 0, step 3"):
        ridge().fit(PANEL.where(np.arange(len(PANEL)) != 3))


def test_the_score_of_a_panel_is_the_mean_over_its_series() -> None:
    model = ridge().fit(PANEL)
    later = pd.concat({"north": WAVE[60:66], "south": 1000 * WAVE[50:58] + 5000 + 500 * (-1) ** np.arange(8)})
    later = later.rename_axis(["plant", "month"])
    forecast = model.predict(later)
    each = [r2_score(later[id], forecast[id]) for id in ("north", "south")]
    assert model.score(later) == pytest.approx(np.mean(each))
    weights = np.ones(len(later))
    weights[0] = 0
    each[0] = r2_score(later["north"][1:], forecast["north"][1:])
    assert model.score(later, sample_weight=weights) == pytest.approx(np.mean(each))


def test_the_steps_to_forecast_may_differ_per_id_and_need_no_columns() -> None:
    model = ridge().fit(PANEL)
    steps = pd.MultiIndex.from_tuples(
        [("south", MONTHS[50]), ("north", MONTHS[60]), ("north", MONTHS[61])], names=["plant", "month"]
    )
    expected = model.predict(2).drop(("south", MONTHS[51])).loc[["south", "north"]]
    pd.testing.assert_series_equal(model.predict(pd.DataFrame(index=steps)), expected)


def test_the_last_times_of_each_series_are_known() -> None:
    ends = ridge().fit(PANEL).last_times_
    assert {id: end[-1] for id, end in ends.items()} == {"north": MONTHS[59], "south": MONTHS[49]}
    assert ridge().fit(NORTH).last_times_[None].tolist() == MONTHS[50:60].tolist()


def test_periods_identify_the_steps_of_a_panel() -> None:
    periods = PANEL.to_frame().reset_index()
    periods["month"] = pd.PeriodIndex(periods["month"], freq="M")
    forecast = ridge().fit(periods.set_index(["plant", "month"])).predict(1)
    assert forecast.loc["south"].index.tolist() == [pd.Period("2019-03")]
