"""The examples and pictures of docs/diagnostics.md."""

import doctest
import re
from pathlib import Path

import pytest

from seqpipe import diagnostics

PAGE = Path(__file__).parents[2] / "docs" / "diagnostics.md"


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert (result.failed, result.attempted > 15) == (0, True)
    assert {path.name for path in tmp_path.iterdir()} == {
        "learning-curves.png", "gradient-flow.png", "hidden-states.png", "attention.png", "forecast-fan.png",
    }  # fmt: skip


def test_every_picture_stands_on_the_page():
    listed = re.findall(r"^\| `(plot_\w+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(listed) == [name for name in diagnostics.__all__ if name.startswith("plot_")]
