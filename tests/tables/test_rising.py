"""Times that must increase, and the errors if they do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._rising import check_rising, first_not_rising
from seqpipe.tables._times import read_times


def check(values: Any, codes: list[int] | None = None) -> None:
    written = pd.Series(values, name="t")
    times = read_times(written, "row {}".format)
    check_rising(
        times,
        np.zeros(len(times), dtype=int) if codes is None else np.array(codes),
        "row {}".format,
        written=written,
        if_falling="Sort it.",
        if_doubled="Keep one.",
    )


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=8))
def test_the_first_row_that_does_not_rise_in_its_sequence_is_found(rows: list[tuple[int, int]]):
    rows = sorted(rows, key=lambda row: row[0])
    codes, times = [code for code, _ in rows], [time for _, time in rows]
    wrong = [i for i in range(1, len(rows)) if codes[i] == codes[i - 1] and times[i] <= times[i - 1]]
    found = first_not_rising(pd.Series(times, dtype="int64"), np.array(codes, dtype=int))
    assert found == (wrong[0] if wrong else None)


def test_each_sequence_begins_again():
    check([5, 6, 1, 2], [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 3, 2], r"row 2: the rows are not in the order of 't': 2 follows 3\. Sort it\.$"),
        ([1, 3, 3], r"row 2: 't' is 3 a second time \(row 1 has it too\)\. Keep one\.$"),
        (["2024Q2", "2024Q1"], "2024Q1 follows 2024Q2"),
        (
            ["2025-10-26T02:00+01:00", "2025-10-26T02:30+02:00"],
            r"2025-10-26T02:30\+02:00 follows 2025-10-26T02:00\+01:00",
        ),
        (["23:55", "00:00"], r"00:00 follows 23:55\. Clock times restart at midnight: give the dates as well\.$"),
        (["2 days", "1 days"], r"Sort it\.$"),
        (
            ["2025-10-26T02:00", "2025-10-26T02:00"],
            r"a second time .* end of daylight saving time.*in UTC or with their offset",
        ),
        (["2025-10-26T02:45", "2025-10-26T02:00"], "If this is the end of daylight saving time"),
        (["2025-10-26", "2025-10-26"], r"Keep one\.$"),
        (["2025-10-26T02:00Z", "2025-10-26T02:00Z"], r"Keep one\.$"),
    ],
)
def test_what_does_not_rise_is_refused_as_it_was_written_with_the_remedy(values, message):
    with pytest.raises(InvalidSequencesError, match=message):
        check(values)
