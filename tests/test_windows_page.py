"""docs/windows.md and docs/elements.md: their examples run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from seqpipe.estimators import SlidingWindowClassifier

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["elements", "windows"])
def test_the_examples_run(name: str) -> None:
    found = doctest.testfile(str(DOCS / f"{name}.md"), module_relative=False)
    assert found.attempted > 5
    assert found.failed == 0


def test_every_aggregation_has_a_row() -> None:
    options, _ = SlidingWindowClassifier._parameter_constraints["aggregate"]
    rows = re.findall(r'^\| `"(\w+)"` \|', (DOCS / "windows.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(rows) == options.options
