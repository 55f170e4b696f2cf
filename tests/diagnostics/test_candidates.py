import numpy as np
import pandas as pd
import pytest

from seqpipe.diagnostics import plot_candidates
from seqpipe.diagnostics._style import PALETTE

HISTORY = [{"epoch": 1, "train_loss": 1.0}, {"epoch": 2, "train_loss": 0.5}]


def table(means, **columns):
    names = [f"fit {i}" for i in range(len(means))]
    defaults = {"name": names, "mean": means, "std": 0.02, "seconds": 2.0, "n_parameters": 1234}
    return pd.DataFrame({**defaults, **columns})


def names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_candidates_are_ranked_from_the_top():
    scores, _, _ = plot_candidates(table([0.5, 0.9, 0.7]), {}).axes
    assert names(scores) == ["fit 1", "fit 2", "fit 0"]
    assert scores.yaxis_inverted()


def test_score_time_and_size_are_written_beside_each_candidate():
    scores, _, _ = plot_candidates(table([0.912345], seconds=12.3), {}).axes
    heading, row = (text.get_text().split() for text in scores.texts)
    assert heading == ["score", "fit", "parameters"]
    assert row == ["0.9123", "12.3", "s", "1,234"]


def test_time_of_compilation_stands_beside_that_of_the_fit_where_it_is_known():
    scores, costs, _ = plot_candidates(table([0.9, 0.8], compile_seconds=[1.5, np.nan]), {}).axes
    heading, first, second = (text.get_text().split() for text in scores.texts)
    assert heading == ["score", "fit", "compile", "parameters"]
    assert first == ["0.9", "2", "s", "1.5", "s", "1,234"]
    assert second == ["0.8", "2", "s", "1,234"]
    assert costs.get_xlabel() == "time of a fit, without compilation (s)"


def test_a_candidate_keeps_its_colour_in_every_panel():
    scores, costs, losses = plot_candidates(table([0.5, 0.9]), {"fit 0": HISTORY, "fit 1": HISTORY}).axes
    assert scores.lines[0].get_color() == PALETTE[0]
    np.testing.assert_allclose(costs.collections[0].get_facecolors()[0][:3], [0, 0x72 / 255, 0xB2 / 255])
    assert [line.get_color() for line in losses.lines] == [PALETTE[1], PALETTE[0]]


def test_a_candidate_that_failed_stands_last_and_says_so(drawn):
    figure = drawn(plot_candidates(table([np.nan, 0.9], std=[np.nan, 0.1], n_parameters=[np.nan, 10]), {}))
    assert names(figure.axes[0]) == ["fit 1", "fit 0"]
    assert figure.axes[0].texts[-1].get_text().split()[0] == "failed"


def test_only_failures_can_be_drawn(drawn):
    figure = drawn(plot_candidates(table([np.nan, np.nan], seconds=np.nan), {"fit 0": []}))
    assert [text.get_text().split()[0] for text in figure.axes[0].texts[-2:]] == ["failed", "failed"]


def test_the_best_thirty_of_many_are_drawn():
    scores, _, _ = plot_candidates(table(np.linspace(0, 1, 50)), {}).axes
    assert len(names(scores)) == 30
    assert scores.get_title(loc="left") == "Candidates (best 30 of 50)"


def test_thirty_candidates_are_told_apart_in_every_panel():
    scores, costs, losses = plot_candidates(table(np.linspace(1, 0, 30)), {"fit 7": HISTORY}).axes
    looks = {(points.lines[0].get_color(), points.lines[0].get_marker()) for points in scores.containers}
    assert len(looks) == 30
    assert (losses.lines[0].get_color(), losses.lines[0].get_marker()) in looks
    assert [text.get_text() for text in losses.texts] == ["■ fit 7"]
    assert len(costs.collections) == 30


def test_times_of_unlike_size_are_drawn_on_a_log_scale():
    _, costs, _ = plot_candidates(table([0.5, 0.6], seconds=[0.5, 90.0]), {}).axes
    assert costs.get_xscale() == "log"


def test_a_table_without_a_column_is_refused():
    with pytest.raises(ValueError, match=r"It lacks \['seconds'\]"):
        plot_candidates(table([0.5]).drop(columns="seconds"), {})


def test_a_table_without_rows_is_refused():
    with pytest.raises(ValueError, match="It lacks rows"):
        plot_candidates(table([]), {})
