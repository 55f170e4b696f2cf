"""Outcomes of fits as MLflow run statuses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

__all__ = ["FINISHED", "Outcome", "Status", "now", "outcome_of"]

Status = Literal["FINISHED", "FAILED", "KILLED"]

#: Exit codes of a process ended by Ctrl-C or SIGTERM.
_SIGNAL_EXITS = (128 + 2, 128 + 15)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The final status of a run, with the reason if it is not FINISHED."""

    status: Status
    reason: str = ""


FINISHED = Outcome("FINISHED")


def outcome_of(error: BaseException | None) -> Outcome:
    """Return the outcome of a fit that raised an exception, or of one that did not (None)."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return FINISHED
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    stopped = isinstance(error, KeyboardInterrupt) or (isinstance(error, SystemExit) and error.code in _SIGNAL_EXITS)
    return Outcome("KILLED" if stopped else "FAILED", reason)


def now() -> int:
    """Return the time in milliseconds since 1970, as MLflow expects."""
    return time.time_ns() // 1_000_000
