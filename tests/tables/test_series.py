import numpy as np
import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import time_index


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
            r"'gas', row 1: column 't' holds 'soon', which is not a time\. Write dates as 2024-05-31",
        ),
        ([1.0, np.nan], r"'gas', row 1: column 't' is empty\. Every row needs it"),
    ],
)
def test_times_that_do_not_rise_are_refused_with_their_row(times, message):
    with pytest.raises(InvalidSequencesError, match=message):
        time_index(pd.DataFrame({"t": times}), "t", name="gas")
