"""Predictions as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

__all__ = ["encoded", "plain"]


def plain(predicted: Any) -> Any:
    """Return predictions as lists of JSON types; numbers that are not finite, which JSON has not, become None."""
    if isinstance(predicted, np.ndarray) and predicted.dtype.kind in "biuU":
        return predicted.tolist()
    if isinstance(predicted, np.ndarray) and predicted.dtype.kind == "f" and np.isfinite(predicted).all():
        return predicted.tolist()
    if isinstance(predicted, np.generic):
        return plain(predicted.item())
    if isinstance(predicted, float):
        return predicted if math.isfinite(predicted) else None
    if predicted is None or isinstance(predicted, str | int):
        return predicted
    if isinstance(predicted, dict):
        return {str(name): plain(value) for name, value in predicted.items()}
    if hasattr(predicted, "__iter__"):
        return [plain(each) for each in predicted]
    return str(predicted)


def encoded(answer: dict[str, Any]) -> bytes:
    """Return an answer as JSON."""
    return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()
