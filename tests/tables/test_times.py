"""Columns of times in every supported format."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._times import ordinals, read_times

BERLIN = "Europe/Berlin"
beyond_nanoseconds = pytest.mark.skipif(int(pd.__version__.split(".")[0]) < 3, reason="pandas 2 reads dates in ns")


def place(row: int) -> str:
    return f"gas.csv:{row + 2}"


def read(values: Any, dtype: Any = None) -> pd.Series:
    return read_times(pd.Series(values, dtype=dtype, name="t"), place)


def arrow(values: list[Any], kind: pa.DataType) -> pd.Series:
    return pd.Series(values, dtype=pd.ArrowDtype(kind), name="t")


DAYS = [dt.date(2024, 1, 31), dt.date(2024, 2, 1)]
NAIVE = [dt.datetime(2024, 1, 31), dt.datetime(2024, 2, 1)]


@pytest.mark.parametrize(
    "column",
    [
        ["2024-01-31", "2024-02-01"],
        ["2024-01-31T00:00:00", "2024-02-01 00:00"],
        ["2024/01/31", "2024.2.1"],
        [" 2024-01-31", "2024-02-01 "],
        ["20240131", "20240201"],
        [20240131, 20240201],
        [20240131.0, 20240201.0],
        [202401310000, 202402010000],
        [20240131000000, 20240201000000],
        pd.Series(DAYS, dtype=object),
        pd.Series(NAIVE, dtype=object),
        pd.Series([pd.Timestamp(NAIVE[0]), "2024-02-01"], dtype=object),
        pd.Series([np.datetime64("2024-01-31"), np.datetime64("2024-02-01")], dtype=object),
        pd.Series(["2024-01-31", "2024-02-01"], dtype="string"),
        pd.Series(["2024-01-31", "2024-02-01"], dtype="category"),
        pd.Series(pd.period_range("2024-01-31", periods=2, freq="D")),
        pd.Series(list(pd.period_range("2024-01-31", periods=2, freq="D")), dtype=object),
        arrow(["2024-01-31", "2024-02-01"], pa.string()),
        arrow(DAYS, pa.date32()),
        arrow(DAYS, pa.date64()),
        *(arrow(NAIVE, pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")),
    ],
)
def test_dates_are_read_in_every_form(column):
    times = read(column)
    assert times.dtype.kind == "M"
    assert times.tolist() == [pd.Timestamp("2024-01-31"), pd.Timestamp("2024-02-01")]


@pytest.mark.parametrize(
    "column",
    [
        ["2024-01-31T23:00Z", "2024-02-01T00:00Z"],
        ["2024-01-31 23:00:00+00:00", "2024-02-01 00:00+00"],
        ["2024-01-31 23:00:00 UTC", "2024-02-01 00:00:00 UTC"],
        ["2024-02-01T00:00+01:00", "2024-02-01T01:00+01:00"],
        ["2024-02-01T00:00+01:00", "2024-02-01T02:00+02:00"],
        pd.Series(pd.date_range("2024-02-01", periods=2, freq="h", tz=BERLIN)),
        pd.Series([pd.Timestamp("2024-02-01", tz=BERLIN), pd.Timestamp("2024-02-01", tz="UTC")], dtype=object),
        pd.Series([pd.Timestamp("2024-02-01", tz=BERLIN).to_pydatetime(), "2024-02-01T00:00Z"], dtype=object),
        *(
            arrow([dt.datetime(2024, 1, 31, 23, tzinfo=dt.UTC), dt.datetime(2024, 2, 1, tzinfo=dt.UTC)], kind)
            for kind in (pa.timestamp("ms", "UTC"), pa.timestamp("ns", BERLIN))
        ),
    ],
)
def test_times_with_zones_are_the_same_instants_in_every_form(column):
    assert read(column).tolist() == [pd.Timestamp("2024-01-31 23:00", tz="UTC"), pd.Timestamp("2024-02-01", tz="UTC")]


@pytest.mark.parametrize(
    ("column", "offset"),
    [
        (["2024-01-31T23:00Z"], "+00:00"),
        (["2024-01-31T23:00-03:30"], "-03:30"),
        (["2025-10-26T02:30+02:00", "2025-10-26T02:00+01:00"], "+01:00"),
        (pd.Series(pd.date_range("2025-07-01", periods=1, tz=BERLIN)), "+02:00"),
    ],
)
def test_dates_keep_their_zone_of_several_offsets_the_last(column, offset):
    assert read(column).iloc[-1].isoformat().endswith(offset)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2000), st.integers(1, 96))
def test_hours_of_local_clocks_rise_evenly_over_every_change_of_summer_time(start: int, n_hours: int):
    utc = pd.date_range("2025-01-01", periods=n_hours, freq="h", tz="UTC") + pd.Timedelta(hours=5 * start)
    local = [time.isoformat() for time in utc.tz_convert(BERLIN)]
    assert read(local).tolist() == utc.tolist()


@beyond_nanoseconds
@pytest.mark.parametrize("column", [["1066-10-14", "2500-01-01"], [dt.date(1066, 10, 14), dt.date(2500, 1, 1)]])
def test_dates_before_1678_and_after_2262_are_read(column):
    assert [time.year for time in read(column)] == [1066, 2500]


@pytest.mark.parametrize(
    ("column", "first_days"),
    [
        (["2024-W05", "2024-W06"], ["2024-01-29", "2024-02-05"]),
        (["2024W05", "2025W01"], ["2024-01-29", "2024-12-30"]),
        (["2024-W05-1", "2024-W05-3"], ["2024-01-29", "2024-01-31"]),
        (["2024Q1", "2024-Q2"], ["2024-01-01", "2024-04-01"]),
        (["Q3 2024", "Q4/2024"], ["2024-07-01", "2024-10-01"]),
        (["2024-01", "2024-02"], ["2024-01-01", "2024-02-01"]),
        ([202412, 202501], ["2024-12-01", "2025-01-01"]),
        (pd.Series(pd.period_range("2024Q1", periods=2, freq="Q")), ["2024-01-01", "2024-04-01"]),
        (pd.Series(pd.period_range("2024-01-31", periods=2, freq="W")), ["2024-01-29", "2024-02-05"]),
    ],
)
def test_weeks_months_and_quarters_are_their_first_day(column, first_days):
    assert read(column).tolist() == [pd.Timestamp(day) for day in first_days]


@pytest.mark.parametrize(
    "column",
    [
        ["00:05", "25:00"],
        ["0:05:00", "25:00:00.0"],
        ["0 days 00:05:00", "1 days 01:00:00"],
        ["0:05:00", "1 day, 1:00:00"],
        ["PT5M", "P1DT1H"],
        ["5 min", "25 h"],
        [dt.timedelta(minutes=5), dt.timedelta(hours=25)],
        pd.Series([dt.timedelta(minutes=5), dt.timedelta(hours=25)], dtype=object),
        arrow([dt.timedelta(minutes=5), dt.timedelta(hours=25)], pa.duration("s")),
    ],
)
def test_elapsed_times_are_read_in_every_form(column):
    assert read(column).tolist() == [pd.Timedelta(minutes=5), pd.Timedelta(hours=25)]


@pytest.mark.parametrize(
    "column", [[dt.time(0, 5), dt.time(12, 0, 30)], arrow([dt.time(0, 5), dt.time(12, 0, 30)], pa.time64("us"))]
)
def test_clock_times_count_from_midnight(column):
    assert read(column).tolist() == [pd.Timedelta(minutes=5), pd.Timedelta(hours=12, seconds=30)]


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        ([2023, 2024], [2023, 2024]),
        ([20240131, 20240132], [20240131, 20240132]),
        ([202412, 202413], [202412, 202413]),
        (["9", "10"], [9, 10]),
        (["0.5", "1e1"], [0.5, 10.0]),
        ([45292.0, 45292.5], [45292.0, 45292.5]),
        (pd.array([1, 2], dtype="Int64"), [1, 2]),
        (pd.array([1, 2], dtype="uint8[pyarrow]"), [1, 2]),
        (pd.Series([1, Decimal("2.5")], dtype=object), [1.0, 2.5]),
        (np.array([1, 2**63 + 5], dtype="uint64"), [1, 2**63 + 5]),
        (pd.Categorical(["low", "high"], ["low", "high"], ordered=True), [0, 1]),
        ([], []),
    ],
)
def test_numbers_stay_numbers(column, numbers):
    times = read(column)
    assert times.dtype.kind in "iuf"
    assert times.tolist() == numbers


def test_name_and_index_are_kept_and_the_column_is_not_changed():
    column = pd.Series(["2024-W05", "2024-W06"], index=[7, 7], name="week")
    before = column.copy()
    times = read_times(column, place)
    assert (times.name, times.index.tolist()) == ("week", [7, 7])
    pd.testing.assert_series_equal(column, before)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["2024-01-01", None], r"gas\.csv:3: column 't' is empty\. Every row needs it"),
        ([pd.NaT, pd.NaT, dt.date(2024, 1, 1)], r"gas\.csv:2: column 't' is empty \(and 1 more\)"),
        ([1.0, np.inf], r"gas\.csv:3: column 't' holds inf, which is not a time"),
        (
            ["2024-01-01", "soon"],
            r"gas\.csv:3: column 't' holds 'soon', which is not a time\. Write dates as 2024-05-31",
        ),
        (["1", "2", "x"], r"gas\.csv:4: column 't' holds 'x', which is not a time"),
        (pd.Series([0, "x"], dtype=object), r"gas\.csv:3: column 't' holds 'x'"),
        (["2024-02-30"], "'2024-02-30', which is not a time"),
        (["now"], "'now', which is not a time"),
        (["2024-W54"], "'2024-W54', which is not a time"),
        (["00:75"], "'00:75', which is not a time"),
        ([True, False], "holds True, which is not a time"),
        ([1j], "holds 1j, which is not a time"),
        (pd.Series([[1], [2]]), r"holds \[1\], which is not a time"),
        (pd.interval_range(0, 2), "Interval.*, which is not a time"),
        (["01/02/2024"], r"'01/02/2024', which is not a time\. The order of day and month is ambiguous"),
        (["2024-01-01", "31.12.2024"], r"gas\.csv:3: .*order of day and month is ambiguous.*dayfirst"),
        (["2016-12-31T23:59:60Z"], r"Seconds range from 0 to 59: write a leap second as 23:59:59\.999"),
        (["2024-01-01T24:00"], "write midnight as 00:00 of the next day"),
        (["59:30", "1:00:00"], r"gas\.csv:2: .*'59:30'.* may be hours or minutes: write it as 01:30:00"),
    ],
)
def test_what_is_no_time_is_refused_with_place_and_remedy(column, message):
    with pytest.raises(InvalidSequencesError, match=message):
        read(column)


@pytest.mark.parametrize(
    "column",
    [
        ["2024-01-01T12:00Z", "2024-01-01T13:00"],
        ["2024-01-01T12:00+01:00", "2024-01-02"],
        pd.Series([pd.Timestamp("2024-01-01", tz=BERLIN), pd.Timestamp("2024-01-02")], dtype=object),
        pd.Series([pd.Timestamp("2024-01-01", tz=BERLIN), dt.date(2024, 1, 2)], dtype=object),
    ],
)
def test_times_with_and_without_a_zone_have_no_order(column):
    with pytest.raises(
        InvalidSequencesError, match=r"gas\.csv:3: the time .* has no time zone, but .* at gas\.csv:2 has one"
    ):
        read(column)


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1), st.sampled_from(["s", "ms", "us", "ns"]))
def test_the_numbers_of_elapsed_times_are_exact(values: list[int], unit: str):
    assert ordinals(read(np.array(values, dtype=f"m8[{unit}]"))).tolist() == values


def test_the_numbers_of_dates_are_instants():
    local = pd.Series(pd.date_range("2025-10-26", periods=5, freq="h", tz=BERLIN))
    assert len(set(np.diff(ordinals(local)))) == 1
    assert (ordinals(local) == ordinals(local.dt.tz_convert("UTC"))).all()
