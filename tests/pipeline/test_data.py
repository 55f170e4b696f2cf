from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError, RecipeError
from seqpipe.pipeline._data import LoadedData, load_data
from seqpipe.pipeline._load import load_recipe
from seqpipe.pipeline._model import make_task
from seqpipe.sequences import Sequences

ROWS = """\
id,t,a,b,note,y
x,1,1,2,k,u
x,2,3,4,k,u
z,1,5,6,k,v
x,9,7,8,k,u
"""


def load(data: dict[str, object], task: str = "classify") -> LoadedData:
    loaded = load_recipe({"data": data, "task": task})
    return load_data(loaded, make_task(loaded))


def test_a_long_file_becomes_sequences_with_ids_and_names(write: Callable[..., Path]):
    write(ROWS, "rows.csv")
    found = load({"path": "rows.csv", "id": "id", "time": "t", "target": "y"})
    X = found.data.X
    assert isinstance(X, Sequences)
    assert (X.feature_names, X.lengths.tolist(), list(X.ids)) == (("a", "b"), [3, 1], ["x", "z"])
    assert (list(found.data.y), found.data.name) == (["u", "v"], "rows")


def test_what_the_user_should_know_is_told(write: Callable[..., Path]):
    write(ROWS.replace("x,2,3,4", "x,2,,4").replace("x,9", "x,3").replace("z,1", "x,8"), "rows.csv")
    found = load(
        {"path": "rows.csv", "id": "id", "time": "t", "target": "y", "sort": True, "missing": "interpolate"}
        | {"features": ["a"], "target": "note"}
    )
    assert found.notes == [
        "columns without a role: b, y",
        "1 empty cell filled",
        "1 gap in time in 1 sequence (steps wider than the usual 1.0)",
    ]
    dropped = load({"path": "rows.csv", "id": "id", "time": "t", "target": "note", "sort": True, "missing": "drop"})
    assert dropped.notes[1] == "1 step with empty cells dropped"


def test_a_path_is_relative_to_the_recipe(write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(ROWS, "rows.csv")
    recipe = write("data: {path: rows.csv, id: id, target: y}\ntask: classify")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    loaded = load_recipe(recipe)
    assert len(load_data(loaded, make_task(loaded)).data.X) == 2


def test_an_embedded_data_set_is_taken_as_it_is():
    found = load({"dataset": "digits"})
    assert (found.data.X.shape, found.data.y.shape, found.notes) == ((1797, 8, 8), (1797,), [])


def test_an_embedded_series_has_its_index_for_time():
    found = load({"dataset": "stocks", "target": ["IBM", "AAPL"]}, "forecast")
    assert found.data.X.shape == (390, 2)
    assert isinstance(found.data.X.index, pd.DatetimeIndex)
    assert found.data.roles.time == "Date"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"dataset": "digit"}, r"data\.dataset: 'dataset' must be one of .*'digits'.* Did you mean 'digits'\?"),
        ({"dataset": "os.path"}, r"data\.dataset: 'dataset' must be one of"),
        ({"dataset": "digits", "target": "y"}, r"data\.target: the data set 'digits' is not a table"),
        (
            {"path": "none.csv"},
            r"data\.path: there is no file none\.csv\. Paths are relative to the recipe or the working folder",
        ),
        ({"path": "rows.csv", "id": "idd"}, r"data\.id: rows\.csv has no column 'idd'\. Did you mean 'id'\?"),
        ({"path": "rows.csv", "target": ["y", "z"]}, r"data\.target\[1\]: rows\.csv has no column 'z'"),
        ({"path": "rows.csv", "target": "y", "sort": True}, r"data\.sort: needs 'id', 'time' or both"),
        (
            {"path": "rows.csv", "target": "y", "missing": "drop"},
            r"data\.missing: needs 'id', 'time' or both",
        ),
    ],
)
def test_a_wrong_source_or_role_is_named(data: dict[str, object], message: str, write: Callable[..., Path]):
    write(ROWS, "rows.csv")
    with pytest.raises(RecipeError, match=rf"^recipe: {message}"):
        load(data)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,t,a,y\nx,1,1,u\nx,2,1\n", r"rows\.csv:3: the row has 3 cell"),
        (b"id,t,a,y\nx,1,1,u\nx,2,\x001,u\n", r"rows\.csv:3: the line contains a NUL byte"),
        (b"id,t,a,y\nx,1,1," + b"u" * 10_000_000 + b"\n", r"rows\.csv:2: the row is malformed"),
        (b"", r"rows\.csv: the file is empty"),
    ],
    ids=["ragged row", "NUL", "10 MB cell", "empty"],
)
def test_a_damaged_file_is_refused_with_the_line(content: bytes, message: str, tmp_path: Path):
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(InvalidSequencesError, match=message):
        load({"path": "rows.csv", "id": "id", "time": "t", "target": "y"})


def test_a_label_may_be_the_word_none(write: Callable[..., Path]):
    write(ROWS.replace(",u", ",None"), "rows.csv")
    assert list(load({"path": "rows.csv", "id": "id", "target": "y"}).data.y) == ["None", "v"]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path):
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8-sig")
    assert len(load({"path": "rows.csv", "id": "id", "target": "y"}).data.X) == 2


def test_a_label_that_changes_within_an_id_is_refused_with_its_lines(write: Callable[..., Path]):
    write(ROWS.replace("3,4,k,u", "3,4,k,v"), "rows.csv")
    with pytest.raises(InvalidSequencesError, match=r"id 'x': the target 'y' is 'u' at line 2 and 'v' at line 3"):
        load({"path": "rows.csv", "id": "id", "time": "t", "target": "y"})
