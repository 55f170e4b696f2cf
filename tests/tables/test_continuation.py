"""Rows that follow a series, and those that do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import check_continues

BERLIN = "Europe/Berlin"
HOURS = pd.DatetimeIndex(list(pd.date_range("2025-10-25 20:00", periods=20, freq="h", tz=BERLIN)))
BUSINESS_DAYS = pd.date_range("2024-12-09", periods=20, freq="B")
MONTHS = pd.date_range("2024-01-31", periods=14, freq="ME")
SPREADSHEET = 45292 + np.arange(20) / 24
UNEVEN = pd.DatetimeIndex(["2024-01-01", "2024-01-05", "2024-02-17"])


@pytest.mark.parametrize(
    ("known", "given"),
    [
        (HOURS[:4], HOURS[4:]),
        (HOURS[:4], HOURS[4:].tz_convert("UTC")),
        (HOURS[:4].as_unit("ms"), HOURS[4:].tz_convert("+01:00")),
        (MONTHS[:10], MONTHS[10:]),
        (BUSINESS_DAYS[:10], BUSINESS_DAYS[10:].delete([2, 3])),
        (BUSINESS_DAYS[:10].delete([4]), BUSINESS_DAYS[10:]),
        (HOURS[:8].delete([3]), HOURS[8:].delete([2])),
        (UNEVEN, pd.DatetimeIndex(["2024-02-18", "2024-05-01"])),
        (pd.Index([1, 2, 3]), pd.Index([4, 5])),
        (pd.Index([1, 2, 4]), pd.Index([5, 7])),
        (pd.Index(SPREADSHEET[:10]), pd.Index(SPREADSHEET[10:].round(6))),
        (pd.to_timedelta([5, 10, 15], unit="min"), pd.to_timedelta([20, 25], unit="min")),
        (pd.Index([7]), pd.Index([9])),
        (pd.Index([1, 2, 3]), pd.Index([4])),
    ],
)
def test_rows_that_follow_are_taken(known, given):
    check_continues(known, given, name="next.csv")


@pytest.mark.parametrize(
    ("known", "given", "message"),
    [
        (
            HOURS[:4],
            HOURS[5:],
            r"must continue from 2025-10-25 23:00:00\+02:00, .* row 1 must be at 2025-10-26 00:00:00\+02:00",
        ),
        (
            HOURS[:4],
            HOURS[4:].delete([2]),
            r"row 3 must be at 2025-10-26 02:00:00\+02:00\. Got 2025-10-26 02:00:00\+01:00",
        ),
        (
            HOURS[:4],
            HOURS[4:].tz_localize(None),
            "training data have times with a time zone .* rows to forecast times without a time zone",
        ),
        (MONTHS[:10], MONTHS[9:], "row 1 must be at 2024-11-30"),
        (BUSINESS_DAYS[:10], pd.DatetimeIndex(["2024-12-23", "2024-12-28"]), "row 2 must be at 2024-12-24"),
        (BUSINESS_DAYS[:10], BUSINESS_DAYS[19:], "row 1 must be at 2024-12-23"),
        (UNEVEN, pd.DatetimeIndex(["2024-02-17", "2024-05-01"]), "row 1 must be after it"),
        (pd.Index([1, 2, 3]), pd.Index([4, 6]), r"row 2 must be at 5\. Got 6 instead"),
        (
            pd.Index([1, 2, 3]),
            pd.DatetimeIndex(["2024-01-01"]),
            "numbers as times such as 3, .* times without a time zone such as",
        ),
        (
            pd.to_timedelta([5, 10, 15], unit="min"),
            pd.to_timedelta([25], unit="min"),
            "row 1 must be at 0 days 00:20:00",
        ),
    ],
)
def test_rows_that_do_not_follow_are_refused_with_the_time_that_would(known, given, message):
    with pytest.raises(InvalidSequencesError, match=rf"next\.csv: .*{message}"):
        check_continues(known, given, name="next.csv")
