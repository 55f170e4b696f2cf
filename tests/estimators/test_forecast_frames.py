"""Forecasts of pandas objects: names, dates, gaps, and rows that must follow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from seqpipe.estimators import Forecaster
from seqpipe.exceptions import InvalidSequencesError

MONTHS = pd.date_range("2015-01-01", periods=72, freq="MS", name="month")
SALES = pd.DataFrame({"a": np.sin(np.arange(72) / 3), "b": np.arange(72) % 12.0}, index=MONTHS)


def ridge(**params) -> Forecaster:
    return Forecaster(Ridge(1e-6), **{"window": 12, "horizon": 3, **params})


def test_the_forecast_of_a_frame_has_its_columns_and_the_dates_that_follow() -> None:
    forecast = ridge().fit(SALES[:60]).predict(12)
    assert forecast.index.equals(MONTHS[60:])
    assert forecast.index.name == "month"
    assert list(forecast) == ["a", "b"]
    np.testing.assert_allclose(forecast, SALES[60:], atol=0.05)
    np.testing.assert_allclose(ridge().fit(SALES[:60].to_numpy()).predict(12), forecast)


def test_the_forecast_of_a_series_has_its_name() -> None:
    forecast = ridge().fit(SALES["a"][:60]).predict()
    assert isinstance(forecast, pd.Series)
    assert forecast.name == "a"
    assert forecast.index.equals(MONTHS[60:63])


@pytest.mark.parametrize(
    "index",
    [
        pd.period_range("2015-01", periods=72, freq="M", name="month"),
        pd.date_range("2025-03-20", periods=72, freq="D", tz="Europe/Berlin"),
        pd.date_range("2024-01-01", periods=72, freq="B"),
        pd.timedelta_range("0s", periods=72, freq="5min"),
        pd.RangeIndex(1950, 2022, name="year"),
        pd.date_range("2024-01-31", periods=72, freq="ME"),
    ],
    ids=["periods", "zoned", "business", "elapsed", "numbers", "month ends"],
)
def test_every_kind_of_index_is_continued(index: pd.Index) -> None:
    rows = SALES.set_axis(index)
    forecast = ridge().fit(rows[:60]).predict(12)
    assert forecast.index.tolist() == index[60:].tolist()
    assert (type(forecast.index), forecast.index.name) == (type(index[60:]), index.name) or index.dtype.kind == "i"


def test_an_index_of_names_is_not_continued() -> None:
    rows = SALES["a"].set_axis([f"row {i}x" for i in range(72)])
    assert ridge().fit(rows).predict(3).index.tolist() == [1, 2, 3]


def test_targets_give_the_names_and_exogenous_columns_their_dates() -> None:
    model = ridge().fit(SALES[["b"]][:60], SALES["a"][:60])
    forecast = model.predict(SALES[["b"]][60:])
    assert (forecast.name, forecast.index.equals(MONTHS[60:])) == ("a", True)


def test_a_missing_date_is_named_with_the_remedy() -> None:
    with pytest.raises(
        InvalidSequencesError, match=r"X has no row for 2016-03-01 .*\(and 1 more\).*X\.asfreq\('MS'\)\.interpolate"
    ):
        ridge().fit(SALES.drop(MONTHS[[14, 20]]))
    with pytest.raises(InvalidSequencesError, match="y has no row for 2016-03-01"):
        ridge().fit(SALES[["b"]].drop(MONTHS[14]).to_numpy(), SALES["a"].drop(MONTHS[14]))


def test_holidays_and_uneven_dates_are_no_gaps() -> None:
    holiday = SALES.set_axis(pd.date_range("2024-01-01", periods=73, freq="B").delete([20]))
    assert ridge().fit(holiday).predict(2).index.tolist() == [pd.Timestamp("2024-04-11"), pd.Timestamp("2024-04-12")]
    uneven = SALES.set_axis(pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(72) ** 2, unit="D"))
    assert ridge().fit(uneven).predict(2).index.tolist() == [1, 2]


def test_exogenous_rows_must_begin_right_after_the_known_ones() -> None:
    model = ridge().fit(SALES[["b"]][:60], SALES["a"][:60])
    with pytest.raises(
        InvalidSequencesError, match=r"X: the rows to forecast must continue from 2019-12-01.* at 2020-01-01"
    ):
        model.predict(SALES[["b"]][61:])
    with pytest.raises(
        InvalidSequencesError, match=r"row 1 must be at 2020-01-01.*Leave out the 2 rows up to 2019-12-01"
    ):
        model.predict(SALES[["b"]][58:])
    assert len(model.predict(SALES[["b"]][58:].reset_index(drop=True))) == 14


def test_rows_whose_number_counts_must_follow_too() -> None:
    with pytest.raises(InvalidSequencesError, match="rows to forecast must continue from 2019-12-01"):
        ridge().fit(SALES[:60]).predict(SALES[62:])


@pytest.mark.parametrize("difference", [False, True, [1, 12]])
@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_history_moves_the_origin(difference: object, strategy: str) -> None:
    model = ridge(difference=difference, strategy=strategy).fit(SALES[:60])
    later = model.predict(3, history=SALES[60:65])
    assert later.index.equals(MONTHS[65:68])
    np.testing.assert_allclose(later, model.backtest(SALES[60:68])[5])
    assert model.predict(3).index.equals(MONTHS[60:63])


def test_history_with_exogenous_columns_is_a_pair() -> None:
    model = ridge().fit(SALES[["b"]][:60], SALES["a"][:60])
    later = model.predict(SALES[["b"]][65:68], history=(SALES[["b"]][60:65], SALES["a"][60:65]))
    np.testing.assert_allclose(later, model.backtest(SALES[["b"]][60:68], SALES["a"][60:68])[5])
    with pytest.raises(ValueError, match=r"pass what followed as a pair \(X, y\)"):
        model.predict(SALES[["b"]][65:68], history=SALES[["b"]][60:65])


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (
            SALES[59:62],
            r"rows of history must continue .*Leave out the 1 rows up to 2019-12-01 00:00:00, which are known",
        ),
        (SALES[61:63], "row 1 must be at 2020-01-01"),
        (SALES[60:64].drop(MONTHS[62]), "row 3 must be at 2020-03-01"),
        (SALES[60:63][::-1], "not in the order"),
    ],
    ids=["overlapping", "late", "gap", "reversed"],
)
def test_history_that_does_not_follow_is_refused(history: pd.DataFrame, message: str) -> None:
    with pytest.raises(InvalidSequencesError, match=message):
        ridge().fit(SALES[:60]).predict(history=history)
