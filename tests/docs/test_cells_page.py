"""docs/cells.md lists every wrapper."""

from pathlib import Path

from seqpipe.recurrence.wrappers import WRAPPERS

PAGE = (Path(__file__).parents[2] / "docs" / "cells.md").read_text(encoding="utf-8")


def test_every_wrapper_is_on_the_page_under_its_class_and_its_name() -> None:
    for name, cls in WRAPPERS.items():
        assert f"| `{cls.__name__}` | `{name}` |" in PAGE
