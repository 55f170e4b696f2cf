"""Rows are evaluated, printed and saved."""

from pathlib import Path

import pytest
from _measure import Timing
from _rows import Row, load_rows, save_row, timed_row


def test_a_row_tells_whether_its_claim_is_met() -> None:
    assert Row("f", "c", "w", 2.0, 2.5, 2.0, 3.0).met is True
    assert Row("f", "c", "w", 2.0, 1.5, 1.0, 2.0).met is False
    assert Row("f", "c", "w", 0.5, 0.4, 0.4, 0.4, at_most=True).met is True
    assert Row("f", "c", "w", 2.0).met is None


def test_a_timed_row_has_times_ratio_and_arithmetic() -> None:
    timing = Timing({"ours": [0.001], "theirs": [2.0]}, others=0.5)
    row = timed_row(timing, "ours", "theirs", flops=4e6, peak=16.0, family="f", claim="c", where="w", required=5.0)
    assert row.reached == pytest.approx(2000)
    assert (row.gflops, row.share) == pytest.approx((4.0, 0.25))
    assert str(row).split("met")[1].strip() == (
        "1 ms against 2.00 s; 4 GFLOP/s, 25% of peak; others took 50% of the cores"
    )


def test_a_row_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    save_row(Row("f", "c", "A, 2 threads", 2.0, 1.0, 1.0, 1.0), tmp_path)
    save_row(Row("f", "c", "B, 2 threads", 2.0), tmp_path)
    new = Row("f", "c", "A, 2 threads", 2.0, 3.0, 3.0, 3.0)
    save_row(new, tmp_path)
    assert load_rows(tmp_path) == [new, Row("f", "c", "B, 2 threads", 2.0)]
