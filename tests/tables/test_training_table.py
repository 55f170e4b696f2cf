"""New tables are checked against the columns of the training table."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import CsvFormat, Roles, TrainingTable, WrittenTable

WIDE = TrainingTable(Roles(features=("a", "b", "c"), target=("y",)), columns=("a", "b", "c", "note", "y"))
FRAME = pd.DataFrame({"a": ["1", "2"], "b": ["3", "4"], "c": ["5", "6"], "y": ["", ""], "note": ["k", "l"]})


def held(frame, table=WIDE):
    return table.held(WrittenTable(frame), source="new.csv")


@given(st.permutations(["a", "b", "c", "note", "y"]))
def test_columns_in_any_order_are_put_in_that_of_training(order):
    found, notes = held(FRAME[order])
    assert found.roles.features == ("a", "b", "c")
    assert found.frame[list(found.roles.features)].to_numpy().tolist() == [[1, 3, 5], [2, 4, 6]]
    assert notes == []


def test_columns_that_are_new_are_left_out_and_told():
    found, notes = held(FRAME.assign(d=["?", "7"], **{"Unnamed: 0": [0, 1]}))
    assert list(found.frame) == ["a", "b", "c"]
    assert notes == ["columns that the model was not trained with are ignored: d, Unnamed: 0"]


def test_many_new_columns_do_not_flood_the_note():
    _, notes = held(FRAME.assign(**{f"x{i}": 0 for i in range(100)}))
    assert notes[0].endswith("x29 and 70 more")


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_column_that_is_not_there_is_an_error(name):
    with pytest.raises(
        InvalidSequencesError, match=rf"new\.csv has no column '{name}', which the model was trained with"
    ):
        held(FRAME.drop(columns=name))


def test_a_renamed_column_is_an_error_with_a_hint():
    with pytest.raises(InvalidSequencesError, match=r"no column 'a' \(and 1 more\).* Did you mean 'A'\?"):
        held(FRAME.rename(columns={"a": "A", "b": "B"}))


def test_a_cell_that_is_no_number_is_an_error_with_its_place():
    with pytest.raises(InvalidSequencesError, match=r"new\.csv, row 2: column 'b' is '\?', which is not a number"):
        held(FRAME.assign(b=["3", "?"]))


def test_the_columns_of_a_long_table_are_held_too():
    table = TrainingTable(Roles("id", "t", ("x", "z"), ("y",)), True, "forward", columns=("id", "t", "x", "z", "y"))
    frame = pd.DataFrame({"z": ["5", "6"], "x": [None, "1"], "t": [1, 0], "id": ["007", "007"]})
    found, notes = held(frame, table)
    assert found.frame[["id", "t", "x", "z"]].to_numpy().tolist() == [["007", 0, 1, 6], ["007", 1, 1, 5]]
    assert notes == []


def test_a_forecast_takes_the_time_alone():
    table = TrainingTable(Roles(time="t", target=("sold",)), columns=("t", "sold"), last_times=(3, 4))
    found, notes = held(pd.DataFrame({"sold": ["?", ""], "t": ["5", "6"]}), table)
    assert (found.frame["t"].tolist(), list(found.frame), notes) == ([5, 6], ["t"], [])


def test_the_record_is_the_same_out_of_json():
    table = TrainingTable(
        Roles("id", "t", ("x",), ("y",)),
        True,
        "drop",
        ("id", "t", "x", "y"),
        CsvFormat(";", ",", "latin-1"),
        True,
        False,
        (1, 2),
    )
    assert TrainingTable.from_dict(json.loads(json.dumps(table.as_dict()))) == table


def test_a_record_of_an_older_model_is_read():
    kept = {"roles": {"id": None, "time": None, "features": None, "target": ["y"], "sequence": None}, "sort": False}
    table = TrainingTable.from_dict({**kept, "missing": "error", "last_times": []})
    found, notes = held(FRAME.drop(columns="note"), table)
    assert (list(found.frame), notes) == (["a", "b", "c"], [])
