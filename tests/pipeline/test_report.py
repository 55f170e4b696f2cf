"""The printed results of a run."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from seqpipe.pipeline._report import print_result
from seqpipe.pipeline._result import RunResult


def bold_values(metrics: dict[str, float], baselines: dict[str, dict[str, float]]) -> list[str]:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, color_system="standard", width=120)
    print_result(console, RunResult("ours", None, pd.DataFrame(), metrics=metrics, baselines=baselines))
    _, _, scores = written.getvalue().partition("Scores on the held-out data")
    return [found.strip() for found in re.findall(r"\x1b\[1m([^\x1b]*\d[^\x1b]*)\x1b", scores)]


@pytest.mark.parametrize(
    ("score", "best"),
    [
        ("accuracy", "3"),
        ("f1_macro", "3"),
        ("r2", "3"),
        ("score", "3"),
        ("neg_log_loss", "3"),
        ("log_loss", "1"),
        ("rmse", "1"),
        ("mae.close", "1"),
        ("perplexity", "1"),
        ("bits_per_token", "1"),
    ],
)
def test_the_best_of_each_score_is_bold_not_our_own(score: str, best: str):
    assert bold_values({score: 2.0}, {"worst": {score: 1.0}, "best": {score: 3.0}}) == [best]


def test_equal_scores_are_both_bold_and_missing_ones_are_not():
    found = bold_values({"accuracy": 0.5}, {"same": {"accuracy": 0.5}, "none": {"accuracy": np.nan}})
    assert found == ["0.5", "0.5"]


def test_where_the_name_does_not_tell_what_is_better_nothing_is_bold():
    assert bold_values({"share": 2.0}, {"other": {"share": 1.0}}) == []
