"""Where the times of a table are further apart than usual."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seqpipe.tables._gaps import Gaps, time_gaps

BERLIN = "Europe/Berlin"


def gaps(times: pd.Index, codes: list[int] | None = None) -> Gaps:
    found = time_gaps(pd.Series(times), np.zeros(len(times), dtype=int) if codes is None else np.array(codes))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("times", "n_gaps", "step"),
    [
        (pd.date_range("2025-10-20", periods=240, freq="h", tz=BERLIN), 0, pd.Timedelta("1h")),
        (pd.date_range("2025-10-20", periods=10, freq="D", tz=BERLIN), 0, pd.Timedelta("1D")),
        (pd.date_range("2025-10-20", periods=240, freq="h", tz=BERLIN).delete([5, 100, 101]), 2, pd.Timedelta("1h")),
        (pd.date_range("2025-10-20", periods=9, freq="h", tz="UTC").as_unit("s").delete([4]), 1, pd.Timedelta("1h")),
        (pd.date_range("2020-01-31", periods=30, freq="ME"), 0, pd.Timedelta("31D")),
        (pd.date_range("2020-01-01", periods=13, freq="QS").delete([4]), 1, pd.Timedelta("92D")),
        (pd.date_range("2024-12-02", periods=30, freq="B"), 0, "business day"),
        (pd.date_range("2024-12-02", periods=30, freq="B").delete([17, 18, 25]), 2, "business day"),
        (pd.date_range("2024-12-02", periods=30, freq="D").delete([17]), 1, pd.Timedelta("1D")),
        (pd.to_timedelta([0, 5, 10, 20], unit="min"), 1, pd.Timedelta("5min")),
        (pd.Index([1.5, 2.0, 2.5, 4.0]), 1, 0.5),
        (pd.Index(np.array([0, 1, 2, 250], dtype="uint64")), 1, 1),
    ],
)
def test_gaps_are_counted_in_every_kind_of_time(times, n_gaps, step):
    found = gaps(times)
    assert (found.n_gaps, found.step) == (n_gaps, step)


def test_the_way_from_one_sequence_to_the_next_is_no_gap():
    found = gaps(pd.Index([1, 2, 3, 4, 900, 901, 905]), [0, 0, 0, 0, 1, 1, 1])
    assert found == Gaps(n_gaps=1, n_sequences=1, step=1.0)
