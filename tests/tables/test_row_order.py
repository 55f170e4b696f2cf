"""The order of rows given by an index, for every kind of index."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import check_one_series, check_steps_order, id_levels, refuse_panel

DAYS = pd.date_range("2024-01-01", periods=5)
ARROW = pd.Series(DAYS).astype("timestamp[ns][pyarrow]")
TEXT = DAYS.strftime("%Y-%m-%d")

OF_TIMES = {
    "dates": DAYS,
    "local times": DAYS.tz_localize("Europe/Berlin"),
    "periods": DAYS.to_period("D"),
    "elapsed": DAYS - DAYS[0],
    "Arrow timestamps": pd.Index(ARROW),
    "Arrow timestamps with zone": pd.Index(pd.Series(DAYS.tz_localize("UTC")).astype("timestamp[us, UTC][pyarrow]")),
    "Arrow dates": pd.Index(ARROW.astype("date32[pyarrow]")),
    "Arrow durations": pd.Index(pd.Series(DAYS - DAYS[0]).astype("duration[ns][pyarrow]")),
    "Arrow text": pd.Index(pd.Series(TEXT).astype("string[pyarrow]")),
    "date objects": pd.Index(DAYS.date),
    "clock objects": pd.Index([dt.time(hour) for hour in range(5)]),
    "text": pd.Index(TEXT),
    "text without separators": pd.Index(DAYS.strftime("%Y%m%d")),
    "bytes": pd.Index([text.encode() for text in TEXT]),
    "bytes without separators": pd.Index([text.encode() for text in DAYS.strftime("%Y%m%d")]),
    "intervals of dates": pd.IntervalIndex.from_breaks(pd.date_range("2024-01-01", periods=6)),
    "text with offsets": pd.Index([f"2024-01-0{day}T00:00+01:00" for day in range(1, 6)]),
    "weeks": pd.Index([f"2024-W0{week}" for week in range(1, 6)]),
    "clocks": pd.Index(["00:05", "00:10", "00:15", "00:20", "00:25"]),
    "categories": pd.CategoricalIndex(TEXT),
    "one series of a panel": pd.MultiIndex.from_product([["a"], DAYS], names=["unit", "day"]),
    "one series of a panel, time first": pd.MultiIndex.from_product([DAYS, ["a"]], names=["day", "unit"]),
}
OF_NUMBERS = {
    "row numbers": pd.RangeIndex(5),
    "every third row": pd.RangeIndex(0, 15, 3),
    "integers": pd.Index([3, 5, 6, 7, 9]),
    "floats": pd.Index([0.1, 0.2, 0.3, 0.4, 0.5]),
    "intervals": pd.interval_range(0, 5),
    "nullable": pd.Index([3, 5, 6, 7, 9], dtype="Int64"),
    "Arrow": pd.Index([3, 5, 6, 7, 9], dtype="int16[pyarrow]"),
    "unsigned": pd.Index(np.array([3, 5, 6, 7, 200], dtype="uint8")),
}
EVERY = {**OF_TIMES, **OF_NUMBERS}


def rows(index: pd.Index) -> pd.DataFrame:
    return pd.DataFrame({"load": np.arange(float(len(index)))}, index=index)


@pytest.mark.parametrize("index", EVERY.values(), ids=EVERY)
def test_rising_rows_are_taken(index):
    check_one_series(rows(index), rows(index)["load"], owner="Forecaster")


@pytest.mark.parametrize("index", EVERY.values(), ids=EVERY)
def test_falling_rows_are_refused(index):
    with pytest.raises(InvalidSequencesError, match=r"X.* order .* follows .*X\.sort_index\(\)"):
        check_one_series(rows(index)[::-1], owner="Forecaster")


@pytest.mark.parametrize("index", EVERY.values(), ids=EVERY)
def test_doubled_rows_are_refused(index):
    with pytest.raises(InvalidSequencesError, match=r"X, row 2: .* a second time|row number .* at position 2"):
        check_one_series(rows(index[[0, 1, 1, 2]]), owner="Forecaster")


@pytest.mark.parametrize("index", EVERY.values(), ids=EVERY)
def test_falling_targets_are_refused(index):
    with pytest.raises(InvalidSequencesError, match=r"y\.sort_index\(\)"):
        check_one_series(np.zeros((5, 1)), rows(index)["load"][::-1], owner="Forecaster")


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(list("bacad")),
        pd.Index(["10", "9", "8", "8", "1"]),
        pd.Index([True, False, True]),
        pd.Index([None, "x", None]),
        pd.Index([]),
        pd.RangeIndex(0),
        pd.Index([4]),
    ],
)
def test_names_and_single_rows_tell_nothing_of_time(index):
    check_one_series(rows(index), owner="Forecaster")


@pytest.mark.parametrize("data", [[3.0, 1.0], np.zeros((4, 2)), None])
def test_data_without_an_index_is_taken_as_it_is(data):
    check_one_series(data, owner="Forecaster")


def test_shuffled_row_numbers_are_refused_with_both_remedies():
    message = r"row number 4 follows 9 at position 1.*train_test_split.*X\.reset_index\(drop=True\)"
    with pytest.raises(InvalidSequencesError, match=message):
        check_one_series(rows(pd.Index([9, 4, 5])), owner="Forecaster")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (pd.DatetimeIndex([DAYS[0], pd.NaT]), "X, row 1: column 'index' is empty"),
        (pd.Index([*TEXT, "total"]), "X, row 5: column 'index' holds 'total', which is not a time"),
        (
            pd.date_range("2025-10-26", periods=5, freq="h", tz="Europe/Berlin").tz_localize(None),
            "2025-10-26 02:00:00 a second time .* end of daylight saving time",
        ),
    ],
)
def test_an_index_of_times_that_has_other_values_is_refused(index, message):
    with pytest.raises(InvalidSequencesError, match=message):
        check_one_series(rows(index), owner="Forecaster")


@pytest.mark.parametrize(
    "other",
    [
        DAYS.tz_localize("Europe/Berlin").tz_convert("UTC"),
        DAYS.tz_localize("Europe/Berlin").tz_convert("Asia/Kolkata").as_unit("ns"),
        pd.Index([time.isoformat() for time in DAYS.tz_localize("Europe/Berlin")]),
        pd.RangeIndex(5),
        pd.Index(list("abcde")),
    ],
)
def test_targets_at_the_same_instants_agree_with_x_in_any_form(other):
    X = rows(DAYS.tz_localize("Europe/Berlin"))
    check_one_series(X, rows(other)["load"], owner="Forecaster")
    check_one_series(rows(other), X["load"], owner="Forecaster")


@pytest.mark.parametrize("name", ["periods", "Arrow timestamps", "Arrow dates", "date objects", "text", "categories"])
def test_targets_on_the_same_days_agree_with_x_in_any_form(name):
    check_one_series(rows(DAYS), rows(OF_TIMES[name])["load"], owner="Forecaster")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (DAYS + pd.Timedelta(days=1), "X and y have different times: align them"),
        (DAYS - DAYS[0], "X and y have different times"),
        (DAYS.tz_localize("UTC"), r"The times of y have a time zone and those of X do not: .*X\.tz_localize"),
    ],
)
def test_targets_at_other_times_are_refused(other, message):
    with pytest.raises(InvalidSequencesError, match=message):
        check_one_series(rows(DAYS), rows(other)["load"], owner="Forecaster")


@pytest.mark.parametrize(
    ("levels", "names", "by", "order"),
    [
        ([["a", "b"], DAYS], ["unit", "day"], "unit", "day"),
        ([DAYS, ["a", "b"]], ["day", "unit"], "unit", "day"),
        ([["a", "b"], range(5)], ["unit", None], "unit", "level_1"),
    ],
)
def test_a_panel_is_refused_with_what_to_do(levels, names, by, order):
    panel = rows(pd.MultiIndex.from_product(levels, names=names))
    gather = rf"Sequences\.from_frame\(X\.reset_index\(\), by='{by}', order='{order}'\)"
    with pytest.raises(InvalidSequencesError, match=rf"and 2 series, but Forecaster takes one.*X\.unstack.*{gather}"):
        check_one_series(panel, owner="Forecaster")
    with pytest.raises(
        InvalidSequencesError, match=rf"one row per time step have: .*{gather}.*X\.reset_index\(drop=True\)"
    ):
        refuse_panel(panel)


@pytest.mark.parametrize("index", OF_TIMES.values(), ids=OF_TIMES)
def test_sequences_whose_steps_fall_in_time_are_refused_by_their_number(index):
    check_steps_order([rows(index), np.zeros(3), rows(index)])
    with pytest.raises(InvalidSequencesError, match=r"X\[2\], row 1: .* order of .*X\[2\]\.sort_index\(\)"):
        check_steps_order([rows(index), np.zeros(3), rows(index)[::-1]])


@pytest.mark.parametrize("index", OF_NUMBERS.values(), ids=OF_NUMBERS)
def test_row_numbers_of_single_sequences_tell_nothing(index):
    check_steps_order([rows(index[::-1])])


@pytest.mark.parametrize(
    "index",
    [pd.Index([15.0, np.nan, 0.0]), pd.Index([0.0, 1.0, np.nan]), pd.Index([0, pd.NA, 2], dtype="Int64")],
    ids=["floats falling", "floats", "Int64"],
)
def test_a_missing_row_number_is_refused(index):
    with pytest.raises(InvalidSequencesError, match="X, row [12]: column 'index' is empty"):
        check_one_series(rows(index), owner="Forecaster")


def test_texts_of_eight_digits_are_times_only_if_all_are_dates():
    check_one_series(rows(pd.Index(["20240105", "20241399", "20240101"])), owner="Forecaster")
    check_one_series(rows(pd.Index(["90000001", "80000001"])), owner="Forecaster")
    refuse_panel(rows(pd.Index(["20240102", "20240101"])))


def test_digits_that_identify_series_are_no_times():
    panel = pd.MultiIndex.from_product([["20240102", "20240101"], [0, 1, 2]], names=["id", "step"])
    assert id_levels(panel) == ("id",)
