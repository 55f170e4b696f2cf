"""docs/texts.md lists the parameters of generation."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from seqpipe.estimators import LanguageModel

PAGE = Path(__file__).parents[2] / "docs" / "texts.md"


def test_every_parameter_of_generate_is_explained() -> None:
    explained = set(re.findall(r"`(\w+)=?…?`", PAGE.read_text(encoding="utf-8"))) | {"label"}
    parameters = set(inspect.signature(LanguageModel.generate).parameters) - {"self", "prompt"}
    assert parameters <= explained
