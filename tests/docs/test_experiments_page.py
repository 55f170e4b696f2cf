"""docs/experiments.md names every reference experiment, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (E\d+) \|.*$", PAGE, flags=re.MULTILINE)
LINES = dict(re.findall(r"^\| (E\d+) (\|.*)$", PAGE, flags=re.MULTILINE))


def test_every_experiment_has_one_row_in_order() -> None:
    assert [f"E{i}" for i in range(1, 28)] == ROWS


@pytest.mark.parametrize("row", LINES)
def test_what_a_row_names_is_there(row: str) -> None:
    cells = re.split(r"(?<!\\)\|", LINES[row])
    assert len(cells) == 6, "a row has what, how, where and a test"
    tests = re.findall(r"`((?:tests|plugins)/[^`:]+)::(\w+)`", cells[-2])
    assert tests, "no test is named"
    for path, name in tests:
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE), name
    for recipe in re.findall(r"`seqpipe run ([\w-]+)`", LINES[row]):
        assert (ROOT / "pipelines" / f"{recipe}.yaml").is_file(), recipe
    for script in re.findall(r"`python (benchmarks/\w+\.py)`", LINES[row]):
        assert (ROOT / script).is_file(), script
    for target in re.findall(r"\]\(([^)#]+)", LINES[row]):
        assert (ROOT / "docs" / target).resolve().is_file(), target
