"""Recipes over tables whose times are written in the many forms that loggers and databases use."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.pipeline import predict_table, run_recipe, write_table
from seqpipe.pipeline._data import LoadedData, load_data
from seqpipe.pipeline._load import load_recipe
from seqpipe.pipeline._model import make_task

BERLIN = "Europe/Berlin"
UTC = pd.date_range("2025-10-24 22:00", periods=72, freq="h", tz="UTC")  # summer time ends on the 26th
LOCAL = UTC.tz_convert(BERLIN)
WAVE = np.sin(np.arange(72) / 4)
FORMS = {
    "Z": UTC.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "offset.csv": UTC.strftime("%Y-%m-%d %H:%M:%S+00:00"),
    "local offsets": [time.isoformat() for time in LOCAL],
    "UTC in Parquet": UTC,
    "Berlin in Parquet": LOCAL,
    "milliseconds in Parquet": LOCAL.as_unit("ms"),
    "text in Parquet": pd.Series([time.isoformat() for time in LOCAL], dtype="string"),
}


def written(times: object, name: str, *, gap: bool = False, **columns: object) -> str:
    """Write a table with two empty cells, or without one row, as CSV or, depending on the name, Parquet."""
    load = np.where(np.isin(np.arange(72), [20, 28]), np.nan, np.arange(72.0))
    path = f"table.{'parquet' if 'Parquet' in name else 'csv'}"
    frame = pd.DataFrame({"time": times, "load": load, **columns})
    frame = frame.drop(index=[50] if gap else []).reset_index(drop=True)
    frame.to_parquet(path) if path.endswith("parquet") else frame.to_csv(path, index=False)
    return path


def load(task: str, **data: object) -> LoadedData:
    loaded = load_recipe({"data": {"time": "time", "missing": "interpolate", **data}, "task": task})
    return load_data(loaded, make_task(loaded))


@pytest.mark.parametrize("name", FORMS)
def test_times_with_zones_are_instants_in_every_form(name: str):
    found = load("forecast", path=written(FORMS[name], name), target="load")
    assert found.data.X.index.tolist() == UTC.tolist()
    np.testing.assert_allclose(found.data.X["load"], np.arange(72.0))
    assert found.notes == ["2 empty cells filled"]


@pytest.mark.parametrize("name", FORMS)
def test_a_missing_hour_is_named_before_a_forecast_is_fitted(name: str):
    with pytest.raises(InvalidSequencesError, match=r"'table' has no row for 2025-10-27 .*Insert them; .*interpolate"):
        load("forecast", path=written(FORMS[name], name, gap=True), target="load")


@pytest.mark.parametrize("name", FORMS)
def test_sequences_of_several_machines_are_sorted_by_instant_in_every_form(name: str):
    order = np.random.default_rng(0).permutation(72)
    machine = np.repeat(["a", "b"], 36)
    frame = pd.DataFrame({"machine": machine, "time": FORMS[name], "load": np.arange(72.0), "state": machine})
    path = "table.parquet" if "Parquet" in name else "table.csv"
    (frame.iloc[order].to_parquet if path.endswith("parquet") else frame.iloc[order].to_csv)(path, index=False)
    found = load("classify", path=path, id="machine", target="state", sort=True)
    sequences = {key: steps.ravel().tolist() for key, steps in zip(found.data.X.ids, found.data.X)}
    assert sequences == {"a": list(range(36)), "b": list(range(36, 72))}


def test_local_times_without_offsets_are_refused_where_the_clock_is_put_back():
    path = written(LOCAL.strftime("%Y-%m-%d %H:%M:%S"), "naive")
    message = r"table\.csv:29: 'time' is 2025-10-26 02:00:00 a second time .* write times in UTC or with their offset"
    with pytest.raises(InvalidSequencesError, match=message):
        load("forecast", path=path, target="load")


@pytest.mark.parametrize(
    ("times", "first"),
    [
        ([f"{hour}:00:00" for hour in range(72)], pd.Timedelta(0)),
        ([str(pd.Timedelta(hours=hour)) for hour in range(72)], pd.Timedelta(0)),
        ([f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 360, 5)], pd.Timedelta(0)),
        (pd.period_range("2001Q1", periods=72, freq="Q").astype(str), pd.Timestamp("2001-01-01")),
        (pd.date_range("2020-01-06", periods=72, freq="W-MON").strftime("%G-W%V"), pd.Timestamp("2020-01-06")),
        (pd.date_range("2020-01-31", periods=72, freq="ME").strftime("%Y%m%d"), pd.Timestamp("2020-01-31")),
        (range(1950, 2022), 1950),
    ],
)
def test_elapsed_times_quarters_weeks_and_years_order_a_series(times: object, first: object):
    found = load("forecast", path=written(times, "csv"), target="load")
    assert found.data.X.index[0] == first
    assert found.notes[0] == "2 empty cells filled"


def test_a_gap_in_numbers_is_told():
    found = load("forecast", path=written(range(1950, 2022), "csv", gap=True), target="load")
    assert found.notes[-1].startswith("1 gap in time")


@pytest.mark.parametrize("kind", ["csv", "Parquet"])
def test_dates_without_separators_are_told(kind: str):
    days = pd.date_range("2024-12-31", periods=72).strftime("%Y%m%d").astype(int)
    found = load("forecast", path=written(days, kind), target="load")
    assert found.data.X.index[1] == pd.Timestamp("2025-01-01")
    assert "'time' read as dates without separators: 2024-12-31 00:00:00 to 2025-03-12 00:00:00" in found.notes


def model_of(store: str, path: str, **data: object) -> str:
    recipe = {
        "data": {"path": path, "time": "time", "target": "load", **data},
        "task": {"forecast": {"window": 4, "hidden_size": 3, "max_epochs": 1}},
        "evaluate": {"test_size": 4, "refit": False},
        "tracking": {"uri": store},
    }
    record = run_recipe(recipe).record
    assert record is not None
    assert record.model_uri is not None
    return record.model_uri


def test_daily_forecasts_of_local_times_keep_to_the_local_day_over_the_end_of_summer_time(store: str):
    days = pd.date_range("2025-10-10", periods=18, freq="D", tz=BERLIN)
    pd.DataFrame({"time": days[:16], "load": WAVE[:16]}).to_parquet("days.parquet")
    model = model_of(store, "days.parquet")
    predicted = predict_table(model, n_steps=6)
    assert predicted["time"].tolist() == days[12:].tolist()
    write_table(predicted[["time"]], "ahead.csv")
    assert predict_table(model, "ahead.csv")["load"].tolist() == predicted["load"].tolist()


def test_rows_to_forecast_may_be_written_in_another_zone_but_not_without_one(store: str):
    pd.DataFrame({"time": LOCAL[:30], "load": WAVE[:30], "offer": 1.0}).to_parquet("known.parquet")
    model = model_of(store, "known.parquet", features=["offer"])
    ahead = pd.DataFrame({"time": LOCAL[26:30], "offer": 1.0})
    ahead.to_parquet("ahead.parquet")
    expected = predict_table(model, "ahead.parquet")
    ahead.assign(time=[time.isoformat() for time in LOCAL[26:30].tz_convert("UTC")]).to_csv("ahead.csv", index=False)
    assert predict_table(model, "ahead.csv")["load"].tolist() == expected["load"].tolist()
    ahead[:1].assign(time=LOCAL[26:27].tz_localize(None)).to_csv("naive.csv", index=False)
    with pytest.raises(
        InvalidSequencesError, match="have times with a time zone .* rows to forecast times without a time zone"
    ):
        predict_table(model, "naive.csv")
    ahead.assign(time=LOCAL[27:31]).to_parquet("late.parquet")
    with pytest.raises(InvalidSequencesError, match=r"row 1 must be at 2025-10-26 02:00:00\+02:00"):
        predict_table(model, "late.parquet")
