"""Warnings that point at the user's line, wherever they are raised in a fit."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

__all__ = ["frames_to_user", "warn_user"]


#: Libraries whose frames lie between the user and a fit.
_BETWEEN = {"joblib", "seqpipe", "sklearn"}


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the user's line that led here."""
    warnings.warn(message, category, stacklevel=frames_to_user())


def frames_to_user() -> int:
    """Return the ``stacklevel`` with which a warning of the caller points at the user's line that led to it."""
    frame: FrameType | None = sys._getframe(1)
    level = 1
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    return level
