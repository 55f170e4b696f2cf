"""The page that is written from the rows."""

from pathlib import Path

import pytest
import report
from _rows import Row, save_row


def lettered(letter: str, reached: float, required: float = 5.0, threads: str = "2 threads") -> Row:
    claim = "gru, training, against torch.nn.GRU"
    return Row("gru", claim, f"{letter}, {threads}", required, reached, reached - 0.5, reached + 0.5, note="c")


def test_the_sizes_of_a_claim_share_a_line_and_a_missed_one_is_bold_with_its_reason() -> None:
    rows = [lettered("A", 6.0), lettered("B", 3.0, required=3.5)]
    page = report.report(rows, {}, {rows[0].claim: "the gates are not in the tile"})
    assert (
        "| gru, training, against torch.nn.GRU | A, B; 2 threads | 5, 3.5 | 6.00, **3.00** | 5.50–6.50, 2.50–3.50 "
        "| c; the gates are not in the tile |"
    ) in page
    assert "1 of 2 targets are reached" in page


def test_claims_measured_by_turns_keep_a_line_each() -> None:
    other = Row("plugins", "MLP, training, no C compiler, against its loop", "A, 2 threads", 1.9, 2.0, 2.0, 2.0)
    rows = [lettered("A", 6.0), other, lettered("B", 7.0)]
    assert "| A, B; 2 threads | 5, 5 | 6.00, 7.00 |" in report.report(rows, {}, {})


def test_a_disturbed_measurement_is_said_so() -> None:
    row = Row("ragged", "gru, ragged epoch", "2000 sequences, 2 threads", 12.0, 13.0, 12.0, 14.0, others=0.25)
    assert "other processes took up to 25% of the cores" in report.report([row], {}, {})


def test_a_reason_is_left_out_once_the_claim_is_met() -> None:
    rows = [lettered("A", 6.0)]
    assert "gates" not in report.report(rows, {}, {rows[0].claim: "the gates are not in the tile"})


def test_every_size_stands_in_the_second_table_and_a_slower_one_is_bold() -> None:
    rows = [lettered("A", 6.0), lettered("A", 0.9, 0.97, "1 thread"), lettered("E", 1.0, 0.97, "1 thread")]
    page = report.report(rows, {}, {})
    assert "| gru, training, against torch.nn.GRU | 2 | 6.00 | – | – | – | – |" in page
    assert "| gru, training, against torch.nn.GRU | 1 | **0.90** | – | – | – | 1.00 |" in page
    assert "1 of 3 do not" in page


def test_what_was_not_measured_is_said_so() -> None:
    row = Row("peers", "against darts", "10 steps, 2 threads", 6.0, note="not measured: darts is not installed")
    assert "| against darts | 10 steps; 2 threads | 6 | **–** | – | not measured: darts" in report.report([row], {}, {})


def test_memory_is_to_stay_below() -> None:
    row = Row("memory", "peak memory", "16 × 2000, 2 threads", 0.5, 0.4, 0.4, 0.4, at_most=True)
    assert "| ≤ 0.5 | 0.40 |" in report.report([row], {}, {})


def test_the_page_is_written_with_the_tables_of_other_scripts(tmp_path: Path) -> None:
    save_row(lettered("A", 6.0), tmp_path)
    (tmp_path / "fit.md").write_text("| ratio | 1.05 |\n", "utf-8")
    assert report.main(["--results", str(tmp_path), "--to", str(tmp_path / "speed.md")]) == 0
    page = (tmp_path / "speed.md").read_text("utf-8")
    assert page.startswith("# Speed\n")
    assert "## `benchmarks/fit.py`\n\n| ratio | 1.05 |" in page


def test_without_results_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main(["--results", str(tmp_path), "--to", str(tmp_path / "speed.md")]) == 1
    assert not (tmp_path / "speed.md").exists()
    assert "Nothing was measured yet" in capsys.readouterr().err
