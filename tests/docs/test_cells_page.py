"""docs/cells.md lists every wrapper."""

from pathlib import Path

from seqpipe.builtins import seqpipe_wrappers

PAGE = (Path(__file__).parents[2] / "docs" / "cells.md").read_text(encoding="utf-8")


def test_every_wrapper_is_on_the_page_under_its_class_and_its_name() -> None:
    for spec in seqpipe_wrappers():
        assert f"| `{spec.factory.__name__}` | `{spec.name}` |" in PAGE
