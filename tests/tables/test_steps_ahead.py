"""The frequency of times, some of which may be missing, and their continuation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.tables import index_after, season_of
from seqpipe.tables._steps_ahead import n_left_out, times_after

BERLIN = "Europe/Berlin"


def dates(start: str, periods: int, freq: str, zone: str | None = None) -> pd.DatetimeIndex:
    """Return dates without a frequency, as read from a file."""
    return pd.DatetimeIndex(list(pd.date_range(start, periods=periods, freq=freq, tz=zone)))


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


@pytest.mark.parametrize("freq", ["15min", "h", "D", "B", "W-TUE", "MS", "ME", "BME", "QS", "QE-NOV", "YS"])
@settings(max_examples=8, deadline=None)
@given(missing=st.sets(st.integers(1, 28), max_size=9))
def test_steps_left_out_do_not_hide_the_frequency(freq: str, missing: set[int]):
    full = pd.date_range("2020-01-01", periods=33, freq=freq)
    known = full[:30].delete(sorted(missing))
    assert index_after(known, 3).tolist() == full[30:].tolist()
    assert n_left_out(known) == len(missing)


@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("freq", ["30min", "D", "W"])
def test_local_times_go_on_over_a_change_of_summer_time(zone: str, freq: str):
    full = pd.date_range("2025-09-20", periods=3000 if freq == "30min" else 40, freq=freq, tz=zone)
    known = pd.DatetimeIndex(list(full[: len(full) // 3]))
    assert index_after(known, len(full) - len(known)).tolist() == full[len(known) :].tolist()


def test_a_day_that_begins_with_the_change_of_summer_time_begins_later():
    ahead = index_after(dates("2023-03-20", 6, "D", "Asia/Beirut"), 3)
    assert [time.isoformat() for time in ahead] == [
        "2023-03-26T01:00:00+03:00", "2023-03-27T00:00:00+03:00", "2023-03-28T00:00:00+03:00",
    ]  # fmt: skip


def test_days_without_weekends_are_business_days_whose_holidays_are_left_out():
    known = dates("2024-12-16", 12, "B").delete([7, 8])  # 25 and 26 December
    assert index_after(known, 3).tolist() == list(pd.to_datetime(["2025-01-01", "2025-01-02", "2025-01-03"]))
    assert season_of(known) == 5


def test_days_of_one_week_do_not_tell_that_weekends_are_free():
    assert index_after(dates("2024-12-16", 5, "D"), 1).tolist() == [pd.Timestamp("2024-12-21")]


def test_hours_of_a_working_day_that_pandas_does_not_know_are_counted():
    hours = pd.DatetimeIndex([f"2024-01-0{day} {hour:02}:00" for day in (1, 2, 3) for hour in range(8, 16)])
    assert times_after(hours, 2) is None


@pytest.mark.parametrize(
    ("known", "ahead"),
    [
        (pd.to_timedelta(["5 min", "10 min", "15 min"]), pd.to_timedelta(["20 min", "25 min"])),
        (pd.to_timedelta(["5 min", "10 min", "20 min"]), pd.to_timedelta(["25 min", "30 min"])),
        (pd.Index([1, 2, 4]), [5, 6]),
        (pd.Index(np.array([1, 3, 5], dtype="uint64")), [7, 9]),
    ],
)
def test_elapsed_times_and_numbers_go_on_at_their_step(known, ahead):
    assert index_after(known, 2).tolist() == list(ahead)


def test_days_of_a_spreadsheet_may_be_rounded():
    hours = pd.Index(np.round(45292 + np.arange(50) / 24, 7))
    np.testing.assert_allclose(index_after(hours, 24), 45292 + np.arange(50, 74) / 24, atol=1e-6, rtol=0)


def test_seconds_far_apart_are_not_laid_out():
    times = pd.DatetimeIndex(["2000-01-01", "2000-01-01 00:00:01", "2000-01-01 00:00:02", "2024-01-01"])
    assert times_after(times, 1) is None


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["UTC", BERLIN, None]), st.integers(3, 30), st.integers(1, 30))
def test_times_ahead_rise_from_the_end_at_even_steps(zone: str | None, n_known: int, n_steps: int):
    known = dates("2025-10-25", n_known, "h", zone)
    ahead = known.append(index_after(known, n_steps))
    assert len(ahead) == n_known + n_steps
    assert set(np.diff(ahead.asi8)) == {np.diff(known.asi8)[0]}
