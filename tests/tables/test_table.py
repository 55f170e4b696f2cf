"""Ordered rows, rows without missing cells, and descriptions of the position of a row."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import Roles, Table, read_table, typed
from seqpipe.tables._gaps import Gaps, time_gaps
from seqpipe.tables._missing import without_missing
from seqpipe.tables._order import ordered

ROLES = Roles("id", "t", None, ("y",))
ROWS = """\
id,t,a,b,y
x,1,1,2,u
x,2,3,4,u
z,1,5,6,v
x,4,7,8,u
x,5,9,8,u
x,6,9,8,u
"""


def table(text: str = ROWS, roles: Roles = ROLES) -> Table:
    return Table.of(pd.read_csv(StringIO(text)), roles, "rows.csv")


def gaps_of(table: Table) -> Gaps | None:
    return time_gaps(table.frame["t"], table.codes)


def test_the_rows_of_an_id_are_brought_together():
    assert ordered(table(), sort=False).frame["id"].tolist() == ["x"] * 5 + ["z"]


def test_unsorted_rows_are_refused_with_both_times_and_the_remedy():
    with pytest.raises(InvalidSequencesError, match=r"row 2 \(id x\): .* 0 follows 1\. .*'sort: true' under 'data:'"):
        ordered(table(ROWS.replace("x,2,", "x,0,")), sort=False)


@pytest.mark.parametrize("kind", ["uint8", "uint32", "uint64", "UInt16", "int8"])
def test_times_of_any_integer_type_are_put_in_order_and_their_gaps_counted(kind: str):
    frame = pd.DataFrame({"t": [0, 1, 120, 2, 3], "a": 1.0}).astype({"t": kind})
    unsorted = Table.of(frame, Roles(time="t"), "rows.parquet")
    with pytest.raises(InvalidSequencesError, match=r"row 4: the rows are not in the order of 't': 2 follows 120"):
        ordered(unsorted, sort=False)
    rising = ordered(unsorted, sort=True)
    gaps = gaps_of(rising)
    assert rising.frame["t"].tolist() == [0, 1, 2, 3, 120]
    assert gaps is not None
    assert (gaps.n_gaps, gaps.step) == (1, 1)


def test_times_beyond_signed_integers_are_kept_in_order():
    frame = pd.DataFrame({"t": np.array([2**63 + 2**40, 5], dtype="uint64"), "a": [1.0, 2.0]})
    assert ordered(Table.of(frame, Roles(time="t"), "x"), sort=True).frame["a"].tolist() == [2.0, 1.0]


def test_unsorted_rows_are_sorted_where_the_recipe_says_so():
    assert ordered(table(ROWS.replace("x,2,", "x,0,")), sort=True).frame["t"].tolist() == [0, 1, 4, 5, 6, 1]


@given(st.permutations(range(6)))
def test_sorting_does_not_depend_on_the_order_of_rows(order: list[int]):
    shuffled = Table.of(pd.read_csv(StringIO(ROWS)).iloc[order], ROLES, "rows.csv")
    frame = ordered(shuffled, sort=True).frame
    assert frame.loc[frame["id"] == "x", "t"].tolist() == [1, 2, 4, 5, 6]
    assert (frame["id"].to_numpy()[1:] != frame["id"].to_numpy()[:-1]).sum() == 1


@pytest.mark.parametrize("sort", [False, True])
def test_a_time_that_comes_twice_in_an_id_is_refused(sort: bool):
    with pytest.raises(InvalidSequencesError, match=r"row 2 \(id x\): 't' is 1 a second time \(rows\.csv, row 1 "):
        ordered(table(ROWS.replace("x,2,", "x,1,")), sort=sort)


@pytest.mark.parametrize(("old", "new", "column"), [("x,2,", "x,,", "t"), ("x,2,", ",2,", "id")])
def test_a_row_without_time_or_id_is_refused(old: str, new: str, column: str):
    with pytest.raises(InvalidSequencesError, match=rf"rows\.csv, row 2.*: column '{column}' is empty\. Every row"):
        ordered(table(ROWS.replace(old, new)), sort=True)


def test_text_is_read_as_dates():
    text = "t,a\n2024-01-01,1\n2024-01-02T06:00:00,2\n"
    frame = ordered(table(text, Roles(time="t")), sort=False).frame
    assert frame["t"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02 06:00")]


def test_text_that_is_no_date_is_refused():
    with pytest.raises(InvalidSequencesError, match=r"row 2: column 't' holds '3rd of May', which is not a time"):
        ordered(table("t,a\n2024-01-01,1\n3rd of May,2\n", Roles(time="t")), sort=False)


def test_gaps_in_time_are_counted():
    gaps = gaps_of(ordered(table(), sort=False))
    assert gaps is not None
    assert (gaps.n_gaps, gaps.n_sequences, gaps.step) == (1, 1, 1)


def test_sequences_of_one_row_have_no_gaps():
    assert time_gaps(pd.Series([1, 2]), np.array([0, 1])) is None


def test_months_of_unequal_length_are_no_gaps():
    months = pd.DataFrame({"t": pd.date_range("2020-01-01", periods=30, freq="MS"), "a": 1.0})
    gaps = gaps_of(Table.of(months, Roles(time="t"), "months"))
    assert gaps is not None
    assert gaps.n_gaps == 0


HOLES = ROWS.replace("x,2,3,4", "x,2,,4").replace("x,6,9,8", "x,6,,8")


def mended(missing: str, text: str = HOLES, roles: Roles = ROLES) -> pd.DataFrame:
    with_features, _ = typed(table(text, roles), target="labels")
    return without_missing(ordered(with_features, sort=False), missing).frame


def test_an_empty_cell_is_refused_with_its_place_and_the_remedies():
    match = r"row 2 \(id x\): column 'a' is empty \(and 1 more\)\. .*'missing: interpolate'.*'missing: drop'"
    with pytest.raises(InvalidSequencesError, match=match):
        mended("error")


def test_interpolation_follows_time_and_keeps_to_the_id():
    assert mended("interpolate")["a"].tolist() == [1, 3, 7, 9, 9, 5]


def test_interpolation_leaves_full_columns_as_they_are():
    assert mended("interpolate")["b"].dtype == np.int64


def test_the_last_value_is_carried_forward():
    assert mended("forward")["a"].tolist() == [1, 1, 7, 9, 9, 5]


def test_steps_with_empty_cells_are_dropped():
    assert mended("drop")["t"].tolist() == [1, 4, 5, 1]


def test_a_first_cell_has_nothing_before_it_to_carry_forward():
    with pytest.raises(
        InvalidSequencesError, match=r"row 1 \(id x\): .*'missing: forward' found no value to fill it with"
    ):
        mended("forward", ROWS.replace("x,1,1", "x,1,"))


def test_an_empty_label_is_never_made_up():
    with pytest.raises(InvalidSequencesError, match=r"row 2 \(id x\): column 'y' is empty"):
        mended("interpolate", ROWS.replace("3,4,u", "3,4,"))


def test_columns_without_a_role_may_have_empty_cells():
    assert len(mended("error", HOLES, Roles("id", "t", ("b",), ("y",)))) == 6


def test_lines_of_a_file_are_counted_past_blank_ones_and_line_breaks_in_quotes(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text('id,t,a,y\n\nx,1,1,"u\nu"\nx,2,3,u\n\nx,1,5,u\n')
    with pytest.raises(InvalidSequencesError, match=r"rows\.csv:7 \(id x\): the rows are not in the order"):
        ordered(Table.of(read_table(path), ROLES, str(path)), sort=False)
