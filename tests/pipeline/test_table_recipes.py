"""Tables as other programs write them, through recipes and predictions."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seqpipe.exceptions import DataWarning, InvalidSequencesError, RecipeError
from seqpipe.pipeline import predict_table, run_recipe
from seqpipe.pipeline._data import LoadedData, load_data
from seqpipe.pipeline._load import load_recipe
from seqpipe.pipeline._model import make_task
from seqpipe.tasks import TaskData

TINY = {"hidden_size": 3, "max_epochs": 1}


def load(data: dict[str, object], task: str = "classify", **fields: object) -> LoadedData:
    loaded = load_recipe({"data": data, "task": task, **fields})
    return load_data(loaded, make_task(loaded))


def wide(n_rows: int = 24) -> pd.DataFrame:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(n_rows, 6)).round(3), columns=list("abcdef"))
    return frame.assign(state=["01", "02"] * (n_rows // 2))


@pytest.fixture(scope="module")
def model(store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "wide.csv"
    wide().to_csv(path, sep=";", decimal=",", index=False)
    data = {"path": str(path), "target": "state"}
    result = run_recipe({"data": data, "task": {"classify": TINY}, "tracking": {"uri": store}})
    assert result.record is not None
    assert result.record.model_uri is not None
    return result.record.model_uri


@pytest.fixture
def expected(model: str) -> pd.DataFrame:
    wide().to_csv("same.csv", sep=";", decimal=",", index=False)
    return predict_table(model, "same.csv")


def test_predictions_are_labels_as_they_were_written(expected: pd.DataFrame):
    assert list(expected.columns) == ["id", "prediction", "p_01", "p_02"]
    assert set(expected["prediction"]) <= {"01", "02"}


WRITERS: dict[str, Callable[[pd.DataFrame], object]] = {
    "reversed.csv": lambda frame: frame[frame.columns[::-1]].to_csv("reversed.csv", sep=";", decimal=",", index=False),
    "comma.csv": lambda frame: frame.to_csv("comma.csv", index=False),
    "tabs.tsv.gz": lambda frame: frame.to_csv("tabs.tsv.gz", sep="\t", index=False),
    "unlabelled.csv": lambda frame: frame.drop(columns="state").to_csv("unlabelled.csv", index=False),
    "table.parquet": lambda frame: frame.to_parquet("table.parquet"),
    "decimals.parquet": lambda frame: frame.map(lambda x: x if isinstance(x, str) else Decimal(repr(x))).to_parquet(
        "decimals.parquet"
    ),
    "folder": lambda frame: (Path("folder").mkdir(), frame.to_parquet("folder/part-0.parquet")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_new_table_may_be_written_in_another_way(name: str, model: str, expected: pd.DataFrame):
    WRITERS[name](wide())
    pd.testing.assert_frame_equal(predict_table(model, name), expected)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda frame: frame.assign(noise=range(24)), "ignored: noise"),
        (lambda frame: frame.reset_index().rename(columns={"index": ""}), "ignored: Unnamed: 0"),
    ],
    ids=["extra column", "index column"],
)
def test_more_columns_change_nothing_and_are_told(
    change: Callable[[pd.DataFrame], pd.DataFrame], told: str, model: str, expected: pd.DataFrame
):
    change(wide()).to_csv("more.csv", index=False)
    with pytest.warns(DataWarning, match=rf"more\.csv: columns that the model was not trained with are {told}"):
        predicted = predict_table(model, "more.csv")
    pd.testing.assert_frame_equal(predicted, expected)


def test_a_wide_table_without_one_of_its_columns_is_refused(model: str):
    wide().drop(columns="c").to_csv("less.csv", index=False)
    with pytest.raises(InvalidSequencesError, match=r"less\.csv has no column 'c', which the model was trained with"):
        predict_table(model, "less.csv")


def test_a_wide_table_with_a_cell_that_is_no_number_is_refused(model: str):
    wide().astype({"c": str}).replace({"c": {str(wide()["c"][7]): "?"}}).to_csv("junk.csv", index=False)
    with pytest.raises(InvalidSequencesError, match=r"junk\.csv:9: column 'c' is '\?', which is not a number"):
        predict_table(model, "junk.csv")


def long(**columns: object) -> pd.DataFrame:
    t = np.arange(60)
    frame = pd.DataFrame({"id": np.char.add("0", (t // 5).astype(str)), "t": t % 5, "x": np.sin(t).round(3)})
    return frame.assign(**{"y": np.where(t // 5 % 2, "1.10", "007"), **columns})


LONG: dict[str, object] = {"id": "id", "time": "t", "target": "y"}


def equal(one: TaskData, other: TaskData) -> bool:
    return bool(one.X == other.X) and np.array_equal(one.y, other.y) and one.roles == other.roles


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"on": [True, False] * 30},
        {"n": np.arange(60)},
        {"price": [Decimal(f"{i}.50") for i in range(60)]},
        {"note": "k"},
        {"y": [0, 0, 0, 0, 0, 1, 1, 1, 1, 1] * 6},
    ],
    ids=["floats", "booleans", "integers", "decimals", "text", "integer labels"],
)
def test_csv_and_parquet_give_the_same_data(columns: dict[str, object], own_folder: Path):
    frame = long(**columns)
    frame.to_csv("table.csv", index=False)
    frame.to_parquet("table.parquet")
    csv, parquet = load({"path": "table.csv", **LONG}), load({"path": "table.parquet", **LONG})
    assert equal(csv.data, parquet.data)
    assert csv.notes == parquet.notes


def test_ids_and_labels_are_as_they_were_written(own_folder: Path):
    long().to_csv("table.csv", index=False)
    found = load({"path": "table.csv", **LONG}).data
    assert found.X.ids.tolist() == [f"0{i}" for i in range(12)]
    assert found.y.tolist() == ["007", "1.10"] * 6


def test_labels_that_are_whole_numbers_are_whole_numbers(own_folder: Path):
    long(y=np.repeat([5, 9] * 6, 5)).to_csv("table.csv", index=False)
    y = load({"path": "table.csv", **LONG}).data.y
    assert (y.tolist(), y.dtype) == ([5, 9] * 6, np.int64)


@pytest.mark.parametrize(
    ("kind", "values"),
    [(pa.bool_(), [True, False]), (pa.decimal128(4, 2), [Decimal("1.10"), Decimal("2.00")])],
)
def test_labels_of_parquet_types_are_labels(kind: pa.DataType, values: list[object], own_folder: Path):
    labels = pa.array(np.repeat(np.array(values * 6, dtype=object), 5).tolist(), kind)
    pq.write_table(pa.Table.from_pandas(long().drop(columns="y")).append_column("y", labels), "table.parquet")
    y = load({"path": "table.parquet", **LONG}).data.y
    assert y.tolist()[:2] == ([True, False] if kind == pa.bool_() else ["1.10", "2.00"])


def test_an_empty_boolean_label_is_never_made_up(own_folder: Path):
    labels = pa.array([None, *[True] * 4, *[False] * 55], pa.bool_())
    pq.write_table(pa.Table.from_pandas(long().drop(columns="y")).append_column("y", labels), "table.parquet")
    with pytest.raises(InvalidSequencesError, match="column 'y' is empty"):
        load({"path": "table.parquet", **LONG, "missing": "interpolate"})


def test_an_index_that_was_written_is_no_feature(own_folder: Path):
    long().to_csv("index.csv")
    long().query("id != '03'").to_parquet("index.parquet")
    for name, column in (("index.csv", "Unnamed: 0"), ("index.parquet", "__index_level_0__")):
        found = load({"path": name, **LONG})
        assert found.data.X.feature_names == ("x",)
        assert found.notes == [f"index columns, ignored: {column}"]


def test_only_features_are_filled(own_folder: Path):
    holes = long(z=1.0, y="k")
    holes.loc[3, "x"] = np.nan
    holes.assign(**{"Unnamed: 0": np.nan}).to_csv("holes.csv", index=False)
    found = load({"path": "holes.csv", **LONG, "missing": "forward"})
    assert found.notes == ["columns without values: Unnamed: 0", "1 empty cell filled"]
    series = load({"path": "holes.csv", "time": "t", "id": "id", "target": "x", "missing": "forward"}, "step_regress")
    assert series.data.X.feature_names == ("z",)


def test_a_numeric_header_may_be_named_by_its_number(own_folder: Path):
    wide().set_axis(range(7), axis=1).to_csv("numbers.csv", index=False)
    found = load({"path": "numbers.csv", "target": 6, "features": [0, 2]})
    assert found.data.X.n_features == 1
    assert found.data.roles.features == ("0", "2")


def test_how_a_file_is_written_may_be_named(own_folder: Path):
    long().rename(columns={"x": "Größe"}).to_csv("latin.csv", sep="^", decimal=",", encoding="latin-1", index=False)
    form = {"separator": "^", "decimal": ",", "encoding": "latin-1"}
    found = load({"path": "latin.csv", **LONG, **form})
    assert (found.data.X.feature_names, found.notes) == (("Größe",), [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"path": "t.csv", "separator": ";;"}, r"data: The separator must be one character, such as ';'"),
        ({"path": "t.csv", "encoding": "utf-9"}, "data: The encoding 'utf-9' is unknown to Python"),
        ({"dataset": "digits", "decimal": ","}, "'decimal' describes the format of a file, and requires 'path'"),
        ({"path": "t.parquet", "separator": ";"}, r"data\.separator: is for CSV files, and t\.parquet is not one"),
    ],
)
def test_a_format_that_fits_nothing_is_refused(data: dict[str, object], message: str, own_folder: Path):
    long().to_parquet("t.parquet")
    with pytest.raises(RecipeError, match=message):
        load(data)


def lists(own_folder: Path) -> None:
    cells = [np.arange(2.0 + i % 3).tolist() for i in range(12)]
    pd.DataFrame({"s": cells, "y": list("ab") * 6}).to_csv("lists.csv", index=False)
    pd.DataFrame({"s": cells, "y": list("ab") * 6}).to_parquet("lists.parquet")


def test_lists_in_a_csv_are_those_of_the_parquet_file(own_folder: Path):
    lists(own_folder)
    data = {"sequence": "s", "target": "y"}
    csv, parquet = load({"path": "lists.csv", **data}), load({"path": "lists.parquet", **data})
    assert equal(csv.data, parquet.data)


def test_lists_of_numbers_are_not_tokenized(own_folder: Path):
    lists(own_folder)
    with pytest.raises(RecipeError, match=r"steps\[0\]: 'lists' holds numbers, not texts: remove the step 'tokenize'"):
        load({"path": "lists.csv", "sequence": "s", "target": "y"}, steps=["tokenize"])


def test_one_class_is_not_enough(own_folder: Path):
    long(y="a").to_csv("table.csv", index=False)
    with pytest.raises(RecipeError, match="All sequences of 'table' have the label 'a', but a classifier"):
        run_recipe({"data": {"path": "table.csv", **LONG}, "task": {"classify": TINY}, "tracking": {"enabled": False}})
