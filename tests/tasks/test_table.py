"""Tables of every shape to samples, and errors with the position."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences
from seqpipe.tasks import ClassifyTask, RegressTask, Roles

LONG = Roles(id="machine", time="hour", features=("speed", "heat"), target=("label",))


def classify(frame, roles, **options):
    return ClassifyTask().from_table(frame, roles, name="machines", **options)


def regress(frame, roles, **options):
    return RegressTask().from_table(frame, roles, name="machines", **options)


def test_a_long_table_gives_one_sequence_an_id(long_table):
    data = classify(long_table, LONG)
    assert isinstance(data.X, Sequences)
    assert data.X.lengths.tolist() == [5, 4, 6, 5, 4, 5]
    assert data.X.feature_names == ("speed", "heat")
    assert data.X.ids.tolist() == list("abcdef")
    assert data.y.tolist() == ["up", "down", "up", "down", "up", "down"]
    assert (data.name, data.roles) == ("machines", LONG)


def test_targets_follow_their_ids_where_these_stand_in_any_order(long_table):
    shuffled = long_table.sort_values(["hour", "machine"], ascending=[True, False])
    data = classify(shuffled, LONG)
    assert data.X.ids.tolist() == list("fedcba")
    assert data.y.tolist() == ["down", "up", "down", "up", "down", "up"]


def test_without_features_every_numeric_column_without_another_role_is_one(long_table):
    data = classify(long_table, Roles(id="machine", time="hour", target=("label",)))
    assert data.X.feature_names == ("speed", "heat", "load")
    data = regress(long_table, Roles(id="machine", time="hour", target=("load",)))
    assert data.X.feature_names == ("speed", "heat")


def test_a_row_without_id_is_a_sequence_of_its_features():
    frame = pd.DataFrame({"t0": [1, 2], "t1": [3, 4], "t2": [5, 6], "label": ["x", "y"]})
    data = classify(frame, Roles(target=("label",)))
    np.testing.assert_array_equal(data.X.to_padded()[0][:, :, 0], [[1, 3, 5], [2, 4, 6]])
    assert data.X.ids is None


@pytest.mark.parametrize(
    "cells",
    [
        [[1.0, 2.0], [3.0]],
        [np.array([1.0, 2.0]), np.array([3.0])],
        [[[1.0], [2.0]], [[3.0]]],
        [np.array([[1.0], [2.0]]), np.array([[3.0]])],
    ],
)
def test_a_column_of_lists_has_one_sequence_a_row(cells):
    frame = pd.DataFrame({"who": ["p", "q"], "steps": pd.Series(cells, dtype=object), "label": [0, 1]})
    data = classify(frame, Roles(id="who", sequence="steps", target=("label",)))
    assert Sequences([1.0, 2.0, 3.0], [0, 2, 3], ids=np.array(["p", "q"], dtype=object)) == data.X
    assert data.y.tolist() == [0, 1]


def test_a_parquet_file_of_lists_can_be_used(tmp_path):
    frame = pd.DataFrame({"steps": [[1.0, 2.0], [3.0]], "y": [0.5, 1.5]})
    frame.to_parquet(tmp_path / "windows.parquet")
    data = regress(pd.read_parquet(tmp_path / "windows.parquet"), Roles(sequence="steps", target=("y",)))
    assert data.X.lengths.tolist() == [2, 1]
    assert data.y.tolist() == [0.5, 1.5]


def test_several_targets_are_the_columns_of_y(long_table):
    frame = long_table.assign(double=2 * long_table["load"])
    data = regress(frame, Roles(id="machine", features=("speed",), target=("load", "double")))
    np.testing.assert_array_equal(data.y, np.outer([5, 4, 6, 5, 4, 5], [1.0, 2.0]))


def test_prediction_needs_no_target(long_table):
    data = classify(long_table.drop(columns="label"), LONG, with_target=False)
    assert data.y is None
    assert data.X.ids.tolist() == list("abcdef")


@pytest.mark.parametrize("dtype", ["object", "category", "string", "str"])
def test_text_labels_become_plain_text(long_table, dtype):
    data = classify(long_table.astype({"label": dtype}), LONG)
    assert data.y.dtype.kind == "U"


@pytest.mark.parametrize("labels", [[5, 9], [True, False], [0.0, 1.0]])
def test_other_labels_stay_what_they_are(labels):
    frame = pd.DataFrame({"t0": [1, 2], "t1": [3, 4], "label": labels})
    assert classify(frame, Roles(target=("label",))).y.tolist() == labels


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (
            Roles(id="machin", target=("label",)),
            r"The id column 'machin' is not in 'machines'\. Did you mean 'machine'\?",
        ),
        (
            Roles(id="machine", time="Hour", target=("label",)),
            r"The time column 'Hour' .* Did you mean 'hour'\?",
        ),
        (
            Roles(id="machine", features=("sped",), target=("label",)),
            r"The feature column 'sped' .* mean 'speed'\?",
        ),
        (Roles(id="machine", target=("labels",)), r"The target column 'labels' .* mean 'label'\?"),
        (
            Roles(sequence="steps", target=("label",)),
            r"The sequence column 'steps' is not in .*columns are machine, hour",
        ),
        (
            Roles(id="machine", target=("machine",)),
            r"'machine' of 'machines' cannot be id and target at once",
        ),
        (
            Roles(id="machine", features=("load",), target=("load",)),
            r"'load' .* cannot be feature and target at once",
        ),
        (
            Roles(id="machine"),
            r"'machines' needs a target column.*name one of hour, speed, heat, label, load as the target",
        ),
        (Roles(id="machine", target=("load", "load")), r"'load' is listed more than once as target: list it once"),
        (
            Roles(id="machine", features=("label",), target=("load",)),
            r"The feature column 'label' .* holds .*not numbers",
        ),
        (Roles(time="hour", target=("label",)), r"has the time column 'hour' but no id column"),
        (Roles(id="machine", sequence="speed", time="hour", target=("label",)), r"'hour' cannot be time"),
        (Roles(sequence="speed", features=("heat",), target=("label",)), r"cannot be features"),
        (Roles(sequence="speed", target=("label",)), r"An Arrow array must have one list per sequence"),
        (
            Roles(id="machine", features=("speed",), target=("label", "load")),
            r"must be 0 or 1\. The target 'label' of 'machines' is 'up' at row 0",
        ),
    ],
)
def test_roles_that_do_not_fit_the_table_are_refused(long_table, roles, message):
    with pytest.raises(InvalidSequencesError, match=message):
        classify(long_table, roles)


def test_a_column_that_stands_twice_is_refused(long_table):
    frame = long_table.rename(columns={"heat": "speed"})
    with pytest.raises(InvalidSequencesError, match="The feature column 'speed' occurs more than once in 'machines'"):
        classify(frame, LONG)


def test_a_table_without_numbers_is_refused():
    frame = pd.DataFrame({"word": ["a", "b"], "label": ["x", "y"]})
    with pytest.raises(InvalidSequencesError, match=r"no numeric column to use as a feature; it has word \("):
        classify(frame, Roles(target=("label",)))


def test_an_empty_table_is_refused(long_table):
    with pytest.raises(InvalidSequencesError, match="'machines' has no rows"):
        classify(long_table.iloc[:0], LONG)


def test_a_target_that_changes_within_an_id_is_refused_with_its_rows(long_table):
    long_table.loc[3, "label"] = "down"
    message = r"id 'a': the target 'label' is 'up' at row 0 and 'down' at row 3.*Correct the table"
    with pytest.raises(InvalidSequencesError, match=message):
        classify(long_table, LONG)


def test_rows_are_called_what_the_index_calls_them(long_table):
    long_table.loc[3, "label"] = "down"
    long_table.index = pd.RangeIndex(2, 2 + len(long_table), name="line")
    with pytest.raises(InvalidSequencesError, match="'up' at line 2 and 'down' at line 5"):
        classify(long_table, LONG)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_missing_target_is_refused_with_its_row(long_table, missing):
    long_table.loc[3, "label"] = missing
    with pytest.raises(InvalidSequencesError, match=r"id 'a', row 3: the target 'label' is missing \(1 in total\)"):
        classify(long_table, LONG)


def test_an_infinite_target_is_refused_with_its_row(long_table):
    long_table.loc[long_table["machine"] == "b", "load"] = np.inf
    roles = Roles(id="machine", features=("speed",), target=("load",))
    with pytest.raises(InvalidSequencesError, match="The target 'load' of 'machines' is infinite at row 5"):
        regress(long_table, roles)


def test_a_text_target_of_regression_is_sent_to_classification(long_table):
    with pytest.raises(InvalidSequencesError, match=r"The target 'label' .* For labels use the task 'classify'"):
        regress(long_table, LONG)


def test_a_target_of_fractions_is_sent_to_regression(long_table):
    frame = long_table.assign(label=long_table["load"] / 4)
    with pytest.raises(InvalidSequencesError, match=r"holds fractions such as 1.25.*use the task 'regress'"):
        classify(frame, LONG)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_unfit_value_of_a_long_table_is_refused_with_its_place(long_table, value):
    long_table.loc[6, "heat"] = value
    with pytest.raises(InvalidSequencesError, match=r"id 'b', row 6, column 'heat'"):
        classify(long_table, LONG)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_unfit_value_of_a_wide_table_is_refused_with_its_place(value):
    frame = pd.DataFrame({"t0": [1, 2.0], "t1": [3, value], "label": ["x", "y"]})
    with pytest.raises(InvalidSequencesError, match=r"'machines', row 1, column 't1'.*\(1 such in the table\)"):
        classify(frame, Roles(target=("label",)))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([[1.0, np.nan], [3.0]], r"sample 0.*step 1"),
        ([[1.0], []], r"X has no time steps in sample 1"),
        ([[1.0], None], r"Sample 1 is null"),
    ],
)
def test_an_unfit_value_of_a_column_of_lists_is_refused_with_its_place(cells, message):
    frame = pd.DataFrame({"steps": pd.Series(cells, dtype=object), "label": [0, 1]})
    with pytest.raises(InvalidSequencesError, match=message):
        classify(frame, Roles(sequence="steps", target=("label",)))


def test_times_that_do_not_rise_are_refused_with_id_and_row(long_table):
    long_table.loc[3, "hour"] = 1
    with pytest.raises(InvalidSequencesError, match=r"id 'a', row 3: .* order of 'hour': 1 follows 2"):
        classify(long_table, LONG)


def test_a_table_is_not_changed(long_table):
    before = long_table.copy()
    classify(long_table, LONG)
    pd.testing.assert_frame_equal(long_table, before)


def test_text_of_decimals_is_a_label_where_it_comes_back():
    frame = pd.DataFrame({"t0": range(8), "t1": range(8), "label": ["1.10", "2.20"] * 4})
    assert classify(frame, Roles(target=("label",))).y.tolist() == ["1.10", "2.20"] * 4
    measured = frame.assign(label=[f"{i}.5" for i in range(8)])
    with pytest.raises(InvalidSequencesError, match=r"holds fractions such as 0\.5.*use the task 'regress'"):
        classify(measured, Roles(target=("label",)))


def test_numbers_of_any_storage_are_targets_and_features():
    frame = pd.DataFrame(
        {
            "t0": pd.Series([Decimal("1.5"), 2], dtype=object),
            "t1": pd.array([True, False], dtype="boolean"),
            "y": pd.array([Decimal("0.5"), Decimal("2")], dtype=pd.ArrowDtype(pa.decimal128(4, 2))),
        }
    )
    data = regress(frame, Roles(target=("y",)))
    assert data.X.values.ravel().tolist() == [1.5, 1, 2, 0]
    assert data.y.tolist() == [0.5, 2]
