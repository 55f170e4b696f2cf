"""docs/windows.md lists what the estimators over windows take."""

from __future__ import annotations

import re
from pathlib import Path

from seqpipe.estimators import SlidingWindowClassifier

PAGE = Path(__file__).parents[2] / "docs" / "windows.md"


def test_every_aggregation_has_a_row() -> None:
    options, _ = SlidingWindowClassifier._parameter_constraints["aggregate"]
    rows = re.findall(r'^\| `"(\w+)"` \|', PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(rows) == options.options
