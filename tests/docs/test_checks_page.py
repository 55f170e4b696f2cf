"""docs/checks.md lists every check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seqpipe import testing

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
CELLS = {check.name for check in testing.CELL_CHECKS}
TABLES: dict[str, Any] = {
    "Cells": testing.CELL_CHECKS,
    "Wrappers": [check for check in testing.WRAPPER_CHECKS if check.name not in CELLS],
    "Engines": testing.ENGINE_CHECKS,
    "Tasks": testing.TASK_CHECKS,
    "Readers": testing.READER_CHECKS,
    "Estimators": testing.ESTIMATOR_CHECKS,
}


@pytest.mark.parametrize("section", TABLES)
def test_a_section_has_the_table_of_its_checks(section: str) -> None:
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{check.name}` | {check.meaning} |" for check in TABLES[section]]


@pytest.mark.parametrize("section", TABLES)
def test_every_check_has_one_sentence_and_a_name_of_its_own(section: str) -> None:
    assert len({check.name for check in TABLES[section]}) == len(TABLES[section])
    for check in TABLES[section]:
        assert check.meaning.endswith(".")


def test_every_function_has_a_row() -> None:
    for name in testing.__all__:
        if name.startswith("check_"):
            assert f"| `{name}(" in PAGE
