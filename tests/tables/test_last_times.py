"""The end of a series in time, as plain values."""

from __future__ import annotations

import json
from dataclasses import asdict

import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import LastTimes

MONTHS = pd.date_range("2020-01-01", periods=30, freq="MS", name="month")


@pytest.mark.parametrize(
    "index",
    [
        MONTHS,
        pd.date_range("2020-01-31", periods=30, freq="ME"),
        pd.date_range("2025-10-20", periods=30, freq="D", tz="Europe/Berlin"),
        pd.date_range("2025-10-20", periods=30, freq="h", tz="+02:00"),
        pd.timedelta_range("1h", periods=30, freq="5min"),
        pd.RangeIndex(30),
        pd.Index([1990 + i for i in range(30)]),
        pd.period_range("2020Q1", periods=30, freq="Q"),
    ],
)
def test_plain_values_suffice_to_continue(index):
    kept = LastTimes.of(index[:25])
    restored = LastTimes(
        **{name: tuple(v) if isinstance(v, list) else v for name, v in json.loads(json.dumps(asdict(kept))).items()}
    )
    assert restored == kept
    assert restored.after(5).tolist() == index[25:].tolist()
    assert restored.after(5).name == index.name


def test_what_followed_moves_the_end():
    kept = LastTimes.of(MONTHS[:20]).then(LastTimes.of(MONTHS[20:25]))
    assert kept.after(5).tolist() == MONTHS[25:].tolist()
    assert kept.then(LastTimes()).after(2).tolist() == [1, 2]


@pytest.mark.parametrize("index", [None, pd.Index([]), pd.Index(["a", "b"])])
def test_without_times_the_steps_are_counted(index):
    assert LastTimes.of(index).after(2).tolist() == [1, 2]


def test_only_times_are_checked():
    months = LastTimes.of(MONTHS[:20])
    months.check_followed_by(pd.RangeIndex(4), name="X", what="rows")
    months.check_followed_by(None, name="X", what="rows")
    LastTimes.of(pd.RangeIndex(9)).check_followed_by(pd.RangeIndex(4), name="X", what="rows")
    with pytest.raises(InvalidSequencesError, match="X: the rows of history must continue from 2021-08-01"):
        months.check_followed_by(MONTHS[21:], name="X", what="rows of history")
