"""What docs/cells.md shows is what happens."""

import io
import re
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any

from seqpipe.recurrence.wrappers import WRAPPERS

PAGE = (Path(__file__).parents[2] / "docs" / "cells.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def test_the_python_of_the_page_prints_what_it_says() -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for (language, content), (following, output) in pairwise(BLOCKS):
        if language == "python":
            printed = io.StringIO()
            with redirect_stdout(printed):
                exec(compile(content, "docs/cells.md", "exec"), names)
            assert following == "text"
            assert printed.getvalue() == output
    assert [language for language, _ in BLOCKS] == ["python", "text"] * (len(BLOCKS) // 2)


def test_every_wrapper_is_on_the_page_under_its_class_and_its_name() -> None:
    for name, cls in WRAPPERS.items():
        assert f"| `{cls.__name__}` | `{name}` |" in PAGE
