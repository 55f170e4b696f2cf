"""The transformers that a recipe can put before the estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqpipe.transformers import PadSequences, SequenceScaler, TokenizeTexts

__all__ = ["STEPS"]

#: What stands under each name in ``steps:``.
STEPS: dict[str, Callable[..., Any]] = {"pad": PadSequences, "scale": SequenceScaler, "tokenize": TokenizeTexts}
