"""docs/training.md: its lists are complete, and its picture is right."""

from __future__ import annotations

import re
from pathlib import Path

from seqpipe.training import OPTIMIZERS, SCHEDULES, Truncation

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def test_every_optimizer_and_schedule_is_named() -> None:
    named = set(re.findall(r'"(\w+)"', PAGE.read_text(encoding="utf-8")))
    assert named >= {*OPTIMIZERS, *SCHEDULES}


def test_the_picture_of_the_regimes_is_right() -> None:
    text = PAGE.read_text(encoding="utf-8")
    picture = text[text.index("(12, 12)  ") :].split("```")[0]
    label, drawn = "", {line[:10].strip(): [] for line in picture.split("\n") if line.startswith("(")}
    for line in picture.splitlines():
        label = line[:10].strip() or label
        drawn[label] += [line[10:22].rstrip()] if line else []
    assert drawn["(1, 12)"] == ["x", "-x", "--x", "…", "-----------x"]
    for k1, k2 in ((12, 12), (4, 4), (3, 6)):
        spans = Truncation(k1, k2).spans(12)
        rows = [" " * s.start + "-" * (s.first - s.start) + "x" * (s.stop - s.first) for s in spans]
        assert drawn[f"({k1}, {k2})"] == rows
