"""What the pages of the documentation show is what happens."""

from __future__ import annotations

import doctest
import io
import re
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
#: Pages whose blocks have tests of their own, which hold more than that they run.
TESTED_ELSEWHERE = {"diagnostics", "engine", "new-cell", "waves"}
BLOCK = re.compile(r"(<!-- not run: .+? -->\n)?^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return language and content of each block of a page, without those that the page says are not run."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [(language, content) for not_run, language, content in found if not not_run]


def is_doctest(language: str, content: str) -> bool:
    return language == "python" and content.lstrip().startswith(">>>")


def pages(*, doctests: bool) -> list[str]:
    """Return the names of the pages with Python of this kind."""
    return [
        page.stem
        for page in sorted(DOCS.glob("*.md"))
        if page.stem not in TESTED_ELSEWHERE
        and any(
            language == "python" and is_doctest(language, content) == doctests for language, content in blocks(page)
        )
    ]


@pytest.fixture
def folder(own_folder: Path) -> Path:
    """An empty folder, which pages write their pictures and files to."""
    return own_folder


@pytest.mark.parametrize("name", pages(doctests=True))
def test_the_examples_with_a_prompt_run(name: str, folder: Path) -> None:
    found = doctest.testfile(str(DOCS / f"{name}.md"), module_relative=False, encoding="utf-8")
    assert (found.failed, found.attempted > 5) == (0, True)


@pytest.mark.parametrize("name", pages(doctests=False))
def test_the_python_prints_what_the_page_says(name: str, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for (language, content), (following, output) in pairwise([*blocks(DOCS / f"{name}.md"), ("", "")]):
        if language == "python" and not is_doctest(language, content):
            printed = io.StringIO()
            with redirect_stdout(printed):
                exec(compile(content, f"docs/{name}.md", "exec"), names)
            assert printed.getvalue() == (output if following == "text" else "")
