"""Missing dates of a series."""

from __future__ import annotations

import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import check_complete

DAYS = pd.date_range("2024-03-25", periods=30, freq="D")


@pytest.mark.parametrize(
    "index",
    [
        None,
        pd.RangeIndex(5),
        pd.Index([1, 2, 5]),
        pd.Index(["north", "south"]),
        DAYS,
        pd.date_range("2024-10-20", periods=20, freq="D", tz="Europe/Berlin"),
        pd.bdate_range("2024-01-01", periods=40).delete([7]),
        pd.DatetimeIndex(["2024-01-01", "2024-01-05", "2024-02-17"]),
        pd.period_range("2024-01", periods=9, freq="M"),
        pd.timedelta_range("0s", periods=9, freq="s").delete(3),
    ],
)
def test_an_index_without_missing_dates_passes(index):
    check_complete(index, name="X")


@pytest.mark.parametrize(
    ("index", "first"),
    [
        (DAYS.delete([9, 12]), r"2024-04-03 00:00:00 \(and 1 more\)"),
        (pd.date_range("2024-01-31", periods=12, freq="ME").delete(1), "2024-02-29"),
        (pd.period_range("2024-01", periods=12, freq="M").delete(2), "2024-03-01"),
        (pd.date_range("2024-10-27", periods=30, freq="h", tz="Europe/Berlin").delete(2), r"02:00:00\+02:00"),
        (pd.Index([day.isoformat() for day in DAYS]).delete(9), "2024-04-03"),
    ],
    ids=["days", "month ends", "periods", "zoned hours", "text"],
)
def test_the_first_missing_date_is_named(index, first):
    with pytest.raises(InvalidSequencesError, match=f"X has no row for .*{first}.*X.asfreq"):
        check_complete(index, name="X")


def test_the_remedy_may_be_another_one():
    with pytest.raises(InvalidSequencesError, match=r"'gas.csv' has no row for 2024-04-03 00:00:00, .* Fill in\."):
        check_complete(DAYS.delete(9), name="'gas.csv'", remedy="Fill in.")
