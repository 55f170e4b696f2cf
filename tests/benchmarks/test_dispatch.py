"""The script that writes measured.json."""

import json
from pathlib import Path

import dispatch
import pytest

GRID = dispatch.Grid((1, 3), (4,), (2, 5))


@pytest.mark.slow
def test_a_part_is_measured_and_written(tmp_path: Path) -> None:
    table = tmp_path / "measured.json"
    words = ["--tiny", "--rounds", "1", "--only", "lstm", "--modes", "training", "--threads", "1/1", "1/2"]
    assert dispatch.main([*words, "--table", str(table)]) == 0
    content = json.loads(table.read_text("utf-8"))
    assert [content[axis] for axis in ("batch", "n_timesteps", "hidden_size")] == [[1, 3], [1, 4], [2]]
    assert set(content["speed"]) <= {"lstm"}


def test_speeds_stand_in_the_order_of_the_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "speeds", lambda kernel, mode, p, *_: {"c": p.batch + p.hidden / 10 + p.steps / 100})
    found = dispatch.measure("lstm", "training", GRID, 1, 0.0)
    assert found == {"c": [[[1.24, 1.54]], [[3.24, 3.54]]]}


def test_what_takes_too_long_is_taken_from_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr(dispatch, "speeds", lambda kernel, mode, p, *_: measured.append(p.steps) or {"c": p.steps})
    found = dispatch.measure("lstm", "training", dispatch.Grid((1,), (4, 20, 50), (20_000,)), 1, 0.0)
    assert (measured, found) == ([4], {"c": [[[4], [4], [4]]]})


def test_a_part_replaces_its_like_alone_and_what_is_nowhere_slower_is_left_out() -> None:
    slow, fast = {"c": [[[0.5, 2.0]], [[1.0, 1.0]]]}, {"c": [[[1.5, 2.0]], [[1.0, 0.98]]]}
    content = dispatch.updated({}, GRID, "lstm", "training", "1/1", slow)
    content = dispatch.updated(content, GRID, "lstm", "training", "2/2", slow)
    content = dispatch.updated(content, GRID, "gru", "inference", "1/1", fast)
    assert json.loads(dispatch.written(content))["speed"] == {"lstm": {"training": {"1/1": slow, "2/2": slow}}}
    content = dispatch.updated(json.loads(dispatch.written(content)), GRID, "lstm", "training", "2/2", fast)
    assert json.loads(dispatch.written(content))["speed"] == {"lstm": {"training": {"1/1": slow}}}


def test_figures_of_another_grid_are_not_kept() -> None:
    slow = {"c": [[[0.5, 2.0]], [[1.0, 1.0]]]}
    content = dispatch.updated({}, GRID, "lstm", "training", "1/1", slow)
    other = dispatch.updated(content, dispatch.Grid((1,), (4,), (2,)), "gru", "training", "1/1", {"c": [[[0.4]]]})
    assert json.loads(dispatch.written(other))["speed"] == {"gru": {"training": {"1/1": {"c": [[[0.4]]]}}}}
