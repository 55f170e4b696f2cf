"""The time steps of the series of a panel."""

import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import check_like_steps


def dates(frequency, n=12):
    return pd.date_range("2024-01-01", periods=n, freq=frequency)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (dates("MS"), dates("MS", 5)),
        (dates("MS"), dates("ME")),
        (dates("MS"), dates("BME")),
        (dates("D"), dates("B")),
        (dates("W-MON"), dates("W-SUN")),
        (dates("MS"), dates("D", 2)),
        (dates("3h"), dates("3h", 20)),
        (pd.Index([0, 1, 2, 4, 5]), pd.Index([7, 8, 9])),
        (pd.Index([0.1, 0.2, 0.3, 0.4]), pd.Index([1.0, 1.1, 1.2])),
        (pd.to_timedelta([0, 5, 10, 15], unit="s"), pd.to_timedelta([60, 65, 70], unit="s")),
        (pd.DatetimeIndex(["2024-01-01", "2024-01-05", "2024-03-06"]),) * 2,
    ],
)
def test_series_of_one_step_are_alike(first, second):
    check_like_steps({"a": first, "b": second}, name="X")


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (dates("MS"), dates("D"), r"X: the times of the series 'a' have the frequency 'MS', those of 'b' .* 'D'"),
        (dates("QS"), dates("MS"), "'QS-JAN', those of 'b' have the frequency 'MS'"),
        (dates("2h"), dates("h"), "'2h', those of 'b' have the frequency 'h'"),
        (
            dates("D"),
            pd.DatetimeIndex(["2024-01-01", "2024-01-05", "2024-03-06"]),
            "those of 'b' have no constant step",
        ),
        (pd.Index([0, 1, 2]), pd.Index([0, 10, 20]), "have the step 1, those of 'b' have the step 10"),
        (
            pd.to_timedelta([0, 5, 10], unit="s"),
            pd.to_timedelta([0, 1, 2], unit="s"),
            "have the step 0 days 00:00:05, those of 'b' have the step 0 days 00:00:01",
        ),
    ],
)
def test_series_of_unlike_steps_are_refused_with_their_ids(first, second, message):
    with pytest.raises(InvalidSequencesError, match=f"{message}.*resample them to one, or forecast them separately"):
        check_like_steps({"a": first, "b": second}, name="X")
