"""Errors of recipes name the cause and its place, not a consequence of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError, RecipeError
from seqpipe.pipeline import run_recipe

DAYS = pd.date_range("2024-01-01", periods=60)
VALUES = np.round(10 + np.sin(np.arange(60) / 3), 3)
FORECAST = {"forecast": {"cell": "rnn", "hidden_size": 2, "max_epochs": 1, "window": 4, "horizon": 2}}


def forecast(folder: Path, dates: Any, values: Any, **data: Any) -> None:
    pd.DataFrame({"d": dates, "v": values}).to_csv(folder / "series.csv", index=False)
    source = {"path": str(folder / "series.csv"), "time": "d", "target": "v", **data}
    run_recipe({"data": source, "task": FORECAST, "evaluate": {"test_size": 6}, "tracking": {"enabled": False}})


def classify(folder: Path, task: Any, *, data: Any = None, end: str = "\n", search: Any = None) -> None:
    rows = [f"s{i},{t},{'ab'[i % 2]},{1000 * i + t}" for i in range(8) for t in range(3)]
    (folder / "table.csv").write_bytes(end.join(["id,t,y,x", *rows, ""]).encode())
    source = {"path": str(folder / "table.csv"), "id": "id", "time": "t", "target": "y", **(data or {})}
    recipe = {"data": source, "task": {"classify": task}, "tracking": {"enabled": False}}
    run_recipe(recipe if search is None else {**recipe, "search": search})


def test_a_step_that_the_recipe_drops_is_not_told_as_absent_from_the_file(tmp_path):
    expected = r"'drop' removes 1 row with empty cells, the first at .*series.csv:7, but a forecast requires every row: write 'interp"
    with pytest.raises(RecipeError, match=expected):
        forecast(tmp_path, DAYS, np.where(np.arange(60) == 5, np.nan, VALUES), missing="drop")


def test_the_hour_that_daylight_saving_time_skips_is_named(tmp_path):
    hours = pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin").tz_localize(None)
    with pytest.raises(
        InvalidSequencesError, match=r"2024-03-31 02:00:00.*start of daylight saving time, when an hour is"
    ):
        forecast(tmp_path, hours, VALUES)


@pytest.mark.parametrize(
    ("times", "place"),
    [(pd.date_range("2024-03-27", periods=61, freq="h"), 26), (pd.date_range("2024-02-20", periods=61), 40)],
    ids=["hour of a Thursday", "Sunday"],
)
def test_a_time_that_is_missing_for_another_reason_is_not_told_as_skipped(tmp_path, times, place):
    with pytest.raises(InvalidSequencesError, match=r"requires every row. Insert") as raised:
        forecast(tmp_path, times.delete(place), VALUES)
    assert "daylight" not in str(raised.value)


def test_a_target_of_texts_is_called_a_target(tmp_path):
    with pytest.raises(
        InvalidSequencesError, match="The target column 'v' of .* not numbers: .* name another column as the"
    ):
        forecast(tmp_path, DAYS, ["x"] * 60)


def test_a_series_that_is_short_because_of_the_held_out_steps_names_them(tmp_path):
    with pytest.raises(
        RecipeError, match=r"test_size.*holds out 6 of 8 time steps, which leaves 2 to train on. A series of"
    ):
        forecast(tmp_path, DAYS[:8], VALUES[:8])


@pytest.mark.parametrize("mark", [" ", "\u00a0", "\u202f", "\u2009", "\u2019"])
def test_thousands_separated_by_any_space_are_an_error_instead_of_a_column_that_is_left_out(tmp_path, mark):
    cells = [f"1{mark}0{i:02},{i}" for i in range(12)]
    rows = [f"s{i // 3},{i % 3},{'ab'[i // 3 % 2]},{cell}" for i, cell in enumerate(cells)]
    (tmp_path / "table.csv").write_text("\n".join(["id,t,y,x,z", *rows, ""]), encoding="utf-8")
    source = {"path": str(tmp_path / "table.csv"), "id": "id", "time": "t", "target": "y"}
    with pytest.raises(
        InvalidSequencesError, match=r"table.csv:2.*column 'x' is '1.*000'.*without separators of thousands"
    ):
        run_recipe({"data": source, "task": {"classify": {"max_epochs": 1}}, "tracking": {"enabled": False}})


def test_an_encoding_that_is_none_of_texts_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="The encoding 'base64' is unknown to Python as one of texts"):
        classify(tmp_path, {"max_epochs": 1}, data={"encoding": "base64"})


def test_line_ends_of_old_macs_are_named(tmp_path):
    with pytest.raises(InvalidSequencesError, match="table.csv:1: the line has a carriage return without a line feed"):
        classify(tmp_path, {"max_epochs": 1}, end="\r")


def test_a_value_of_a_wrapper_is_refused_with_its_place(tmp_path):
    with pytest.raises(RecipeError, match=r"task\.classify\.wrappers.*p"):
        classify(tmp_path, {"wrappers": ["layer_norm", {"dropout": {"p": 1.5}}], "max_epochs": 1})
    with pytest.raises(RecipeError, match=r"search\.grid\.wrappers.*p"):
        classify(
            tmp_path,
            {"max_epochs": 1},
            search={"grid": {"wrappers": [[{"dropout": {"p": 0.5}}], [{"dropout": {"p": 1.5}}]]}},
        )
