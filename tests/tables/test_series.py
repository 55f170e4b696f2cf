import numpy as np
import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import index_after, season_of, time_index


@pytest.mark.parametrize(
    ("freq", "season"),
    [
        ("MS", 12),
        ("ME", 12),
        ("QS", 4),
        ("QE-NOV", 4),
        ("W-TUE", 52),
        ("D", 7),
        ("B", 5),
        ("h", 24),
        ("YS", 1),
        ("2D", 1),
    ],
)
def test_the_season_follows_from_the_dates(freq, season):
    assert season_of(pd.date_range("2020-01-05", periods=30, freq=freq)) == season


@pytest.mark.parametrize("index", [pd.RangeIndex(30), pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-02-09"])])
def test_without_a_frequency_there_is_no_season(index):
    assert season_of(index) == 1


def test_dates_without_a_stated_frequency_tell_it():
    months = pd.DatetimeIndex([f"2020-{month:02}-01" for month in range(1, 13)])
    assert season_of(months) == 12


@pytest.mark.parametrize(
    ("index", "after"),
    [
        (pd.date_range("2020-11-01", periods=3, freq="MS", name="month"), ["2021-02-01", "2021-03-01"]),
        (pd.DatetimeIndex(["2020-01-30", "2020-01-31", "2020-02-01"]), ["2020-02-02", "2020-02-03"]),
        (pd.RangeIndex(5), [5, 6]),
        (pd.Index([0.0, 0.5, 1.0], name="s"), [1.5, 2.0]),
        (pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-02-09"]), [1, 2]),
        (pd.DatetimeIndex(["2020-01-01"]), [1, 2]),
        (pd.Index([0, 1, 5]), [1, 2]),
        (pd.Index([4]), [1, 2]),
    ],
)
def test_the_index_goes_on_or_counts_from_one(index, after):
    found = index_after(index, 2)
    expected = pd.DatetimeIndex(after) if isinstance(after[0], str) else pd.Index(after)
    assert list(found) == list(expected)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["2020-01-01", "2020-02-01"], pd.DatetimeIndex(["2020-01-01", "2020-02-01"])),
        ([1, 2], pd.Index([1, 2])),
        ([0.5, 0.75], pd.Index([0.5, 0.75])),
        (pd.to_datetime(["2020-01-01", "2020-02-01"]), pd.DatetimeIndex(["2020-01-01", "2020-02-01"])),
    ],
)
def test_times_are_dates_or_numbers(times, expected):
    index = time_index(pd.DataFrame({"t": times}), "t", name="gas")
    assert list(index) == list(expected)
    assert index.name == "t"


def test_a_table_without_time_counts_its_rows():
    assert list(time_index(pd.DataFrame({"x": [3, 4]}, index=[7, 8]), None, name="gas")) == [0, 1]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            ["2020-01-01", "2019-01-01"],
            r"'gas', row 1: the rows are not in the order of 't': 2019-01-01 follows 2020-01-01\. Sort the rows by 't'",
        ),
        ([1, 1], r"'gas', row 1: 't' is 1 a second time .*row 0 has it too\)\. .*keep one of the two"),
        (
            ["2020-01-01", "soon"],
            r"'gas', row 1: column 't' holds 'soon', which is no time\. Write dates as 2024-05-31",
        ),
        ([1.0, np.nan], r"'gas', row 1: column 't' is empty\. Every row needs it"),
    ],
)
def test_times_that_do_not_rise_are_refused_with_their_row(times, message):
    with pytest.raises(InvalidSequencesError, match=message):
        time_index(pd.DataFrame({"t": times}), "t", name="gas")
