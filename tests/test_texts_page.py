"""docs/texts.md: its examples run."""

from __future__ import annotations

import doctest
import inspect
import re
from pathlib import Path

from seqpipe.estimators import LanguageModel

PAGE = Path(__file__).parents[1] / "docs" / "texts.md"


def test_the_examples_run() -> None:
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.attempted > 8
    assert found.failed == 0


def test_every_parameter_of_generate_is_explained() -> None:
    explained = set(re.findall(r"`(\w+)=?…?`", PAGE.read_text(encoding="utf-8"))) | {"label"}
    parameters = set(inspect.signature(LanguageModel.generate).parameters) - {"self", "prompt"}
    assert parameters <= explained
