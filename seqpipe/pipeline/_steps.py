"""The transformers that a recipe can apply before the estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqpipe.transformers import PadSequences, SequenceScaler, TokenizeTexts

__all__ = ["STEPS"]

#: The transformers by their names in ``steps:``.
STEPS: dict[str, Callable[..., Any]] = {"pad": PadSequences, "scale": SequenceScaler, "tokenize": TokenizeTexts}
