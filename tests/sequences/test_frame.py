"""Long tables to sequences and back, and every fault with its id, row and column."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, frame_from_sequences, sequences_from_frame


def table(**columns):
    return pd.DataFrame({"id": ["b", "b", "a", "a"], "t": [0, 1, 0, 1], "x": [1.0, 2.0, 3.0, 4.0], **columns})


def test_rows_are_gathered_by_id_in_order_of_first_appearance():
    X = sequences_from_frame(table(z=[5, 6, 7, 8]), by="id", order="t")
    assert X.ids.tolist() == ["b", "a"]
    assert X.feature_names == ("x", "z")
    assert X[1].tolist() == [[3.0, 7.0], [4.0, 8.0]]


def test_the_features_are_taken_in_the_order_given():
    X = sequences_from_frame(table(z=[5, 6, 7, 8], label=list("nnyy")), by="id", order="t", features=["z", "x"])
    assert X.feature_names == ("z", "x")
    assert X[0][0].tolist() == [5.0, 1.0]


def test_rows_of_an_id_need_not_stand_together():
    X = sequences_from_frame(table().sort_values(["t", "x"]), by="id", order="t")
    assert X.ids.tolist() == ["b", "a"]
    assert X.values.ravel().tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("kind", ["uint8", "uint32", "uint64", "int8"])
def test_times_of_any_integer_type_must_rise(kind):
    frame = table(t=[100, 3, 0, 1]).astype({"t": kind})
    with pytest.raises(InvalidSequencesError, match="order of 't': 3 follows 100"):
        sequences_from_frame(frame, by="id", order="t")


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(allow_nan=False, allow_infinity=False)), max_size=30))
def test_a_table_is_the_concatenation_of_its_groups(rows):
    frame = pd.DataFrame(rows, columns=["id", "x"]).astype({"id": int, "x": float})
    X = sequences_from_frame(frame, by="id")
    groups = dict(iter(frame.groupby("id", sort=False)))
    assert X.ids.tolist() == list(groups)
    for steps, group in zip(X, groups.values(), strict=True):
        assert np.array_equal(steps[:, 0], group["x"])


@given(st.lists(st.integers(1, 5), max_size=6), st.integers(1, 3))
def test_a_frame_and_back_gives_the_same_sequences(lengths, n_features):
    values = np.random.default_rng(0).normal(size=(sum(lengths), n_features))
    names = [f"f{i}" for i in range(n_features)]
    X = Sequences(values, np.cumsum([0, *lengths]), feature_names=names, ids=np.arange(len(lengths)) * 3)
    assert sequences_from_frame(frame_from_sequences(X), by="id", order="step") == X


def test_unnamed_features_and_samples_are_numbered():
    frame = frame_from_sequences(Sequences(np.ones((3, 2)), [0, 1, 3]), by="car", order="time")
    assert frame.columns.tolist() == ["car", "time", "x0", "x1"]
    assert frame["car"].tolist() == [0, 1, 1]
    assert frame["time"].tolist() == [0, 0, 1]


def test_columns_that_would_share_a_name_are_refused():
    with pytest.raises(InvalidSequencesError, match="would share a name: choose other names"):
        frame_from_sequences(Sequences(np.ones((1, 1)), [0, 1], feature_names=["id"]))


def test_float32_is_kept_only_where_all_features_have_it():
    assert sequences_from_frame(table().astype({"x": "f4"}), by="id", order="t").dtype == np.float32
    mixed = table(z=[1, 2, 3, 4]).astype({"x": "f4"})
    assert sequences_from_frame(mixed, by="id", order="t").dtype == np.float64


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, 2, 3, 4], dtype="Int64"),
        pd.array([1, 2, 3, 4], dtype="double[pyarrow]"),
        pd.Series([1, Decimal("2"), 3.0, 4], dtype=object),
    ],
)
def test_numbers_of_any_storage_become_floats(column):
    X = sequences_from_frame(table(x=column), by="id", order="t")
    assert X.values.ravel().tolist() == [1.0, 2.0, 3.0, 4.0]


def test_true_and_false_become_one_and_zero():
    assert sequences_from_frame(table(x=[True, False] * 2), by="id").values[:, -1].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    "times",
    [
        pd.to_datetime(["2020-01-02", "2020-01-10", "2020-01-01", "2020-01-03"]),
        ["2020-01-02", "2020-01-10T07:30", "2020-01-01", "2020-01-03"],
        pd.array([-1, 5, 0, 1], dtype="Int64"),
        pd.Series([0, 2.5, 1, 3], dtype=object),
        pd.Categorical([0, 1, 0, 1]),
    ],
)
def test_times_may_be_dates_iso_text_or_numbers(times):
    assert len(sequences_from_frame(table(t=times), by="id", order="t")) == 2


@pytest.mark.parametrize("ids", [[1, 1, 2, 2], pd.Categorical(["p", "p", "q", "q"]), [1.5, 1.5, 2.5, 2.5]])
def test_ids_may_be_of_any_kind(ids):
    frame = table(id=ids)
    assert sequences_from_frame(frame, by="id", order="t").ids.tolist() == frame["id"].unique().tolist()


def test_an_empty_table_has_no_sequences():
    X = sequences_from_frame(table().iloc[:0], by="id", order="t")
    assert len(X) == 0
    assert X.feature_names == ("x",)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            table(t=[0, 1, 1, 0]),
            r"id 'a', row 3: the rows are not in the order of 't': 0 follows 1\. .* frame.sort_values\(\['id', 't'\]\)",
        ),
        (
            table(t=[0, 0, 0, 1]),
            r"id 'b', row 1: 't' is 0 a second time .*drop_duplicates\(\['id', 't'\]\)",
        ),
        (
            table(t=["1/2", "2/2", "1/2", "2/2"]),
            "id 'b', row 0: column 't' holds '1/2', which is not a time",
        ),
        (table(t=[0, None, 0, 1]), "id 'b', row 1: column 't' is empty"),
        (
            table(t=[0, "x", 0, 1]),
            "id 'b', row 1: column 't' holds 'x', which is not a time",
        ),
        (
            table(x=[1.0, 2.0, np.nan, np.nan]),
            r"id 'a', row 2, column 'x': the value is missing or NaN \(2 such",
        ),
        (
            table(x=pd.array([1, None, 2, 3], dtype="Int64")),
            "id 'b', row 1, column 'x': the value is missing",
        ),
        (table(x=[1.0, 2.0, 3.0, -np.inf]), "id 'a', row 3, column 'x': the value is infinite"),
        (table(x=["1", "2", "3,5", "4"]), "id 'a', row 2, column 'x': '3,5' is str, not a number"),
        (table(x=["1", "2", "3", "4"]), "id 'b', row 0, column 'x': '1' is str, .* pd.to_numeric"),
        (table(x=[1, 2, 3, [4]]), r"id 'a', row 3, column 'x': \[4\] is list, not a number"),
        (table(x=[1, 2, 3, 4j]), "The column 'x' holds complex128, not numbers"),
        (table(x=pd.to_datetime(["2020"] * 4)), "The column 'x' holds datetime64"),
        (table(id=["b", None, "a", "a"]), "row 1 has no id in column 'id'"),
        (table(id=[None, "b", "a", "a"]), "row 0 has no id in column 'id'"),
        (
            table().rename(columns={"id": "idd"}),
            r"no column 'id' among \['idd', 't', 'x'\]. Did you mean 'idd'\?",
        ),
        (table().set_index("id"), "'id' is the index of the table, not a column: call frame.reset_index"),
        (table().set_axis(["id", "t", "t"], axis=1), "The column name 't' occurs more than once"),
        (table().drop(columns="x"), r"The table has no feature columns besides \['id', 't'\]"),
    ],
)
def test_an_unfit_table_is_refused_with_place_and_remedy(frame, message):
    with pytest.raises(InvalidSequencesError, match=message):
        sequences_from_frame(frame, by="id", order="t")


def test_a_feature_that_is_not_there_is_named_with_the_closest_one():
    with pytest.raises(InvalidSequencesError, match=r"no column 'speeed'.*Did you mean 'speed'"):
        sequences_from_frame(table(speed=1.0), by="id", order="t", features=["speeed"])


def test_rows_are_called_what_the_index_calls_them_wherever_they_are_moved():
    frame = table(x=[1.0, 2.0, 3.0, np.nan]).set_index(pd.Index([2, 3, 4, 6], name="line"))
    with pytest.raises(InvalidSequencesError, match="id 'a', line 6, column 'x'"):
        sequences_from_frame(frame.sort_values("t"), by="id", order="t")


def test_a_long_value_does_not_flood_the_message():
    with pytest.raises(InvalidSequencesError, match="is str") as caught:
        sequences_from_frame(table(x=["a" * 10_000, 1, 2, 3]), by="id", order="t")
    assert len(str(caught.value)) < 300


def test_the_table_is_not_changed():
    frame = table().sort_values("x", ascending=False)
    before = frame.copy()
    with pytest.raises(InvalidSequencesError, match="not in the order"):
        sequences_from_frame(frame, by="id", order="t")
    sequences_from_frame(frame, by="id", features=["x"])
    pd.testing.assert_frame_equal(frame, before)


def test_arrow_backed_text_is_no_number_either():
    frame = table(x=pd.array(["1", "a", "2", "3"], dtype=pd.ArrowDtype(pa.string())))
    with pytest.raises(InvalidSequencesError, match="'a' is str, not a number"):
        sequences_from_frame(frame, by="id", order="t")


@pytest.mark.parametrize("name", ["Unnamed: 0", "__index_level_0__"])
def test_an_index_that_was_written_into_the_table_is_no_feature(name):
    assert sequences_from_frame(table(**{name: range(4)}), by="id", order="t").feature_names == ("x",)


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2025-10-26", periods=4, freq="h", tz="Europe/Berlin"),
        [time.isoformat() for time in pd.date_range("2025-10-26", periods=4, freq="h", tz="Europe/Berlin")],
        ["2024Q1", "2024Q2", "2024Q3", "2024Q4"],
        ["00:05", "00:10", "00:15", "00:20"],
    ],
)
def test_an_index_of_times_must_rise_where_no_column_gives_the_order(times):
    frame = table().drop(columns="t").set_index(pd.Index(times, name="t"))
    assert len(sequences_from_frame(frame, by="id")) == 2
    with pytest.raises(
        InvalidSequencesError, match=r"id '[ab]', t .*: the rows are not in the order of 't'.*frame\.sort_index"
    ):
        sequences_from_frame(frame[::-1], by="id")
