"""Recipes that forecast the series of several ids, and predictions of their models."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from seqpipe.exceptions import DataWarning, InvalidSequencesError, RecipeError
from seqpipe.pipeline import predict_table, run_recipe
from seqpipe.tracking import load_model

MONTHS = pd.date_range("2020-01-01", periods=30, freq="MS")
TASK = {"forecast": {"window": 4, "hidden_size": 3, "max_epochs": 1}}
DATA = {"path": "loads.csv", "id": "plant", "time": "month", "target": "load"}
UNTRACKED = {"tracking": {"enabled": False}}


def loads(*lengths: tuple[object, int]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {"plant": plant, "month": MONTHS[:n], "offer": np.arange(n) % 3, "load": np.arange(n) % 3 + 10.0 * i}
        )
        for i, (plant, n) in enumerate(lengths)
    ]
    return pd.concat(parts, ignore_index=True)


def model_of(recipe: dict[str, object], store: str) -> str:
    record = run_recipe({"tracking": {"uri": store}, "task": TASK, "evaluate": {"test_size": 2}, **recipe}).record
    assert record is not None
    assert record.model_uri is not None
    return record.model_uri


@pytest.fixture(scope="module")
def model(store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of three plants: 007 is known until June 2022, 12 until April, east until February."""
    path = tmp_path_factory.mktemp("data") / "loads.csv"
    loads(("007", 30), ("12", 28), ("east", 26)).drop(columns="offer").to_csv(path, index=False)
    return model_of({"data": {**DATA, "path": str(path)}}, store)


@pytest.fixture(scope="module")
def exogenous(store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "loads.parquet"
    loads((7, 30), (12, 28)).to_parquet(path)
    return model_of({"data": {**DATA, "path": str(path), "features": ["offer"]}, "steps": ["scale"]}, store)


def test_a_panel_is_run_searched_and_fitted_again() -> None:
    loads(("north", 30), ("south", 28)).to_csv("loads.csv", index=False)
    console = Console(record=True, width=120, file=StringIO())
    recipe = {
        "data": DATA,
        "task": TASK,
        "search": {"grid": {"window": [4, 5]}, "cv": 2, "scoring": "mae"},
        "evaluate": {"test_size": 3},
        **UNTRACKED,
    }
    result = run_recipe(recipe, console=console)
    assert list(result.metrics) == ["mae", "rmse", "mase"]
    assert list(result.baselines) == ["last value", "seasonal naive", "drift", "ridge on lags"]
    assert set(result.pictures) == {"forecast", "forecast_fan", "learning_curves"}
    assert "2 series of 28 to 30 steps from 2020-01-01 to 2022-06-01: load; 6 held out" in console.export_text()
    assert {id: end[-1] for id, end in result.final.last_times_.items()} == {"north": MONTHS[29], "south": MONTHS[27]}


def test_every_series_is_forecast_after_its_own_end(model: str) -> None:
    predicted = predict_table(model, n_steps=2)
    assert list(predicted) == ["plant", "month", "load"]
    assert predicted["plant"].tolist() == ["007", "007", "12", "12", "east", "east"]
    ends = [month.strftime("%Y-%m") for month in predicted["month"]]
    assert ends == ["2022-07", "2022-08", "2022-05", "2022-06", "2022-03", "2022-04"]


def test_newer_rows_continue_the_series_of_their_id(model: str, write: Callable[..., Path]) -> None:
    write("month,plant,load\n2022-07-01,007,1\n2022-05-01,12,12\n2022-06-01,12,10\n2022-03-01,east,21\n", "newer.csv")
    predicted = predict_table(model, "newer.csv", n_steps=1)
    assert predicted["month"].dt.strftime("%Y-%m").tolist() == ["2022-08", "2022-07", "2022-04"]
    newer = pd.read_csv("newer.csv", dtype={"plant": str}, parse_dates=["month"]).set_index(["plant", "month"])
    forecaster, _ = load_model(model)
    expected = forecaster.predict(1, history=newer[["load"]].astype(float))
    np.testing.assert_allclose(predicted["load"], expected["load"])
    write("month,plant,load\n2022-07-01,007,1\n2022-08-01,007,\n2022-05-01,12,\n", "both.csv")
    both = predict_table(model, "both.csv")
    assert both["plant"].tolist() == ["007", "12"]
    assert both["load"].iloc[0] == pytest.approx(predicted["load"].iloc[0])


def test_known_rows_are_ignored_and_absent_series_forecast_from_what_the_model_knows(
    model: str, write: Callable[..., Path]
) -> None:
    write("plant,month,load\n007,2022-05-01,5\n007,2022-06-01,5\n007,2022-07-01,1\n12,2022-04-01,5\n", "newer.csv")
    with pytest.warns(DataWarning) as told:
        predicted = predict_table(model, "newer.csv", n_steps=1)
    assert [str(each.message) for each in told] == [
        "newer.csv: 3 rows of 2 series up to the end of the training data are ignored",
        "newer.csv: 1 series without rows are forecast from the end of the training data: east",
    ]
    assert predicted["month"].dt.strftime("%Y-%m").tolist() == ["2022-08", "2022-05", "2022-03"]
    from_training = predict_table(model, n_steps=1)
    pd.testing.assert_frame_equal(predicted[1:], from_training[1:])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "007,2022-07-01,1\nwest,2022-07-01,1\n",
            r"rows\.csv:3 \(id west\): the model was not trained on the series 'west' of 'plant'\..* It knows 007, 12, "
            r"east\. Remove the rows of other series, or run the recipe again",
        ),
        ("eastt,2022-07-01,1\n", "Did you mean 'east'"),
        (
            "007,2022-07-01,1\n12,2022-06-01,1\n",
            r"rows\.csv, plant '12': the rows of history must continue from 2022-04-01.*row 1 must be at 2022-05-01",
        ),
        ("007,2022-07-01,1\n12,2022-05-01,1\n12,2022-05-01,2\n", r"rows\.csv:4 \(id 12\): 'month' is .* a second time"),
        (
            "007,2022-07-01,1\n12,2022-05-01,1\n12,2022-07-01,\n",
            r"rows\.csv, plant '12': the rows to forecast must continue from 2022-05-01",
        ),
        ("007,2022-07-01,1\n12,2022-05-01,\n", r"has 1 row to forecast, without a value of the target: leave out"),
        (",2022-07-01,1\n", r"rows\.csv:2: column 'plant' is empty"),
    ],
)
def test_rows_that_do_not_continue_their_series_are_refused(
    rows: str, message: str, model: str, write: Callable[..., Path]
) -> None:
    write(f"plant,month,load\n{rows}", "rows.csv")
    with pytest.raises(InvalidSequencesError, match=message):
        predict_table(model, "rows.csv", n_steps=2)


def test_a_table_without_the_ids_is_refused(model: str, write: Callable[..., Path]) -> None:
    write("month,load\n2022-07-01,1\n", "rows.csv")
    with pytest.raises(InvalidSequencesError, match="has no column 'plant', which the model was trained with"):
        predict_table(model, "rows.csv", n_steps=2)


def test_columns_known_ahead_are_given_per_id_in_any_kind_of_file(exogenous: str, write: Callable[..., Path]) -> None:
    text = "plant,month,offer,load\n12,2022-05-01,1,11\n12,2022-06-01,2,\n7,2022-07-01,0,\n7,2022-08-01,1,\n"
    write(text, "ahead.csv")
    predicted = predict_table(exogenous, "ahead.csv")
    assert predicted["plant"].tolist() == [12, 7, 7]
    assert predicted["month"].dt.strftime("%Y-%m").tolist() == ["2022-06", "2022-07", "2022-08"]
    pd.read_csv("ahead.csv", parse_dates=["month"]).to_parquet("ahead.parquet")
    pd.testing.assert_frame_equal(predict_table(exogenous, "ahead.parquet"), predicted)


def test_the_place_of_a_faulty_row_of_history_is_that_in_its_file(exogenous: str) -> None:
    rows = pd.DataFrame({"plant": [7, 7, 12], "month": [MONTHS[29], *pd.to_datetime(["2022-07-01", "2022-05-01"])]})
    rows.assign(offer=[0.0, 1.0, None], load=1.0).to_parquet("rows.parquet")
    with pytest.raises(InvalidSequencesError, match=r"rows\.parquet, row 3 \(id 12\): column 'offer' is empty"):
        predict_table(exogenous, "rows.parquet")


def test_series_without_times_are_counted(store: str, write: Callable[..., Path]) -> None:
    loads(("north", 30), ("south", 28))[["plant", "load"]].to_csv("loads.csv", index=False)
    model = model_of({"data": {"path": "loads.csv", "id": "plant", "target": "load"}}, store)
    write("plant,load\nsouth,11\nsouth,12\n", "newer.csv")
    with pytest.warns(DataWarning, match="1 series without rows .* north"):
        predicted = predict_table(model, "newer.csv", n_steps=2)
    assert list(predicted) == ["plant", "step", "load"]
    assert predicted["step"].tolist() == [1, 2, 1, 2]
    unchanged = predict_table(model, n_steps=2)
    assert predicted["load"].iloc[:2].tolist() == unchanged["load"].iloc[:2].tolist()
    assert predicted["load"].iloc[2] != unchanged["load"].iloc[2]


def test_times_with_a_zone_are_continued_per_id(store: str) -> None:
    hours = pd.date_range("2025-10-25 12:00", periods=40, freq="h", tz="Europe/Berlin")
    wave = np.sin(np.arange(40) / 4)
    parts = [pd.DataFrame({"plant": plant, "time": hours[:n], "load": wave[:n]}) for plant, n in (("a", 36), ("b", 34))]
    pd.concat(parts).to_parquet("loads.parquet")
    model = model_of({"data": {**DATA, "path": "loads.parquet", "time": "time"}}, store)
    assert predict_table(model, n_steps=2)["time"].tolist() == [*hours[36:38], *hours[34:36]]
    pd.DataFrame({"plant": ["b"], "time": hours[34:35].tz_convert("UTC"), "load": [0.5]}).to_parquet("newer.parquet")
    with pytest.warns(DataWarning, match="without rows .* a$"):
        predicted = predict_table(model, "newer.parquet", n_steps=2)
    assert predicted["time"].tolist() == [*hours[36:38], *hours[35:37]]


@pytest.mark.parametrize(
    ("short", "size", "message"),
    [
        (3, 3, r"evaluate\.test_size: .*would hold out 3 of 3 rows of plant 'south': .* leave this series out"),
        (8, 3, r"Series 'south': A series of n_samples=5 time steps is too short for window=5"),
    ],
)
def test_a_series_that_is_too_short_is_named(short: int, size: int, message: str) -> None:
    loads(("north", 30), ("south", short)).to_csv("loads.csv", index=False)
    task = {"forecast": {**TASK["forecast"], "window": 5}}
    with pytest.raises((RecipeError, InvalidSequencesError), match=message):
        run_recipe({"data": DATA, "task": task, "evaluate": {"test_size": size}, **UNTRACKED})
