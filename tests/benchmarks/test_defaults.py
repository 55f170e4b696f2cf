"""The comparison of the defaults: its options, tables and counts, on tiny data."""

import re
from pathlib import Path

import defaults
import numpy as np
import pytest
from _defaults_table import GRU, OURS, ROCKET, Result, Results, counts, row
from _forecast_baselines import drift, last_value, mase, ridge_on_lags, seasonal_naive
from problems import LOOKED_AT_ONCE, Series

ONE_OF_EACH = ("place_names", "waves", "hidden_states", "leaky_tank", "predator_prey")


def test_one_problem_of_each_kind_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    defaults.main(["--tiny", "--only", ",".join(ONE_OF_EACH)])
    printed = capsys.readouterr().out
    assert re.findall(r"^\| (\w+) \|", printed, flags=re.MULTILINE) == [
        "problem", *ONE_OF_EACH[:4], "problem", ONE_OF_EACH[4],
    ]  # fmt: skip
    assert printed.count("- against every baseline") == 2
    assert "### Tuned on" in printed
    assert "### Looked at once" not in printed


def test_problems_to_be_looked_at_once_are_refused_without_final(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        defaults.main(["--tiny", "--only", f"digits,{LOOKED_AT_ONCE[0].name}"])
    error = capsys.readouterr().err
    assert f"{LOOKED_AT_ONCE[0].name}: to be looked at once, with --final" in error


def test_an_unknown_problem_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        defaults.main(["--only", "digit"])
    assert "--only got digit. Choose from" in capsys.readouterr().err


def test_final_prints_both_halves(capsys: pytest.CaptureFixture[str]) -> None:
    defaults.main(["--tiny", "--final", "--only", "random_walk,regime_switches"])
    printed = capsys.readouterr().out
    first, second = printed.split("### Looked at once")
    assert "| random_walk |" in first
    assert "| regime_switches |" in second


def test_tables_are_written_into_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "defaults.md"
    before, _, rest = defaults.PAGE.read_text(encoding="utf-8").partition("<!-- scores")
    page.write_text(f"{before}<!-- scores{rest}", encoding="utf-8")
    monkeypatch.setattr(defaults, "PAGE", page)
    defaults.main(["--tiny", "--write", "--only", "random_walk"])
    written = page.read_text(encoding="utf-8")
    assert written.startswith(before)
    assert written.endswith(rest.partition("<!-- end of scores -->")[2])
    assert re.findall(r"^\| (\w+) \|.*MASE", written.partition("<!-- end of")[0], flags=re.MULTILINE) == ["random_walk"]


def test_quick_leaves_out_the_slow_problems() -> None:
    names = {p.name for p in defaults.chosen(defaults.TUNED_ON, None, quick=True)}
    assert "digits" in names
    assert not names & defaults.SLOW
    assert {p.name for p in (*defaults.TUNED_ON, *LOOKED_AT_ONCE)} >= defaults.SLOW


def results(ours: list[float], theirs: list[float], score: str = "R²") -> Results:
    seconds = (1.0,) * len(ours)
    by_method = {OURS: Result(tuple(ours), seconds), GRU: Result(tuple(theirs), seconds), ROCKET: None}
    return Results("p", "1 × 1 × 1", score, dict(by_method))


def test_a_difference_within_one_standard_error_is_a_tie() -> None:
    assert results([0.5, 0.7, 0.6], [0.4, 0.5, 0.5]).against(GRU) == "win"
    assert results([0.5, 0.7, 0.6], [0.6, 0.5, 0.6]).against(GRU) == "tie"
    assert results([0.5], [0.6]).against(GRU) == "loss"
    assert results([0.5], [0.6], "MASE").against(GRU) == "win"
    assert results([0.5], [0.6]).against(ROCKET) is None


def test_a_row_has_median_spread_and_seconds_with_the_best_in_bold() -> None:
    assert row(results([0.5, 0.9, 0.6], [0.4, 0.5, 0.5])) == (
        "| p | 1 × 1 × 1 | R² | **0.600 ±0.200 (1.0 s)** | 0.500 ±0.050 (1.0 s) | – |"
    )


def test_counts_leave_out_what_was_not_run() -> None:
    assert counts([results([0.5], [0.4]), results([0.5], [0.6])]).splitlines() == [
        f"- against {GRU}: 1 wins, 0 ties, 1 losses",
        "- against every baseline but MiniRocket: a win or a tie on 1 of 2, 50%",
    ]


def test_naive_forecasts() -> None:
    data = Series(np.array([1.0, 2.0, 3.0, 5.0]), np.array([3.0, 6.0, 3.0]), period=2)
    assert last_value(data).tolist() == [5, 5, 5]
    assert seasonal_naive(data).tolist() == [3, 5, 3]
    np.testing.assert_allclose(drift(data), 5 + np.arange(1, 4) * 4 / 3)
    assert mase(data, seasonal_naive(data)) == pytest.approx((1 / 3) / 2.5)


def test_ridge_on_lags_continues_several_waves() -> None:
    waves = np.sin(np.arange(120)[:, None] / [3.0, 5.0]) * [1.0, 100.0]
    data = Series(waves[:110], waves[110:])
    assert mase(data, ridge_on_lags(data)) < 0.05
