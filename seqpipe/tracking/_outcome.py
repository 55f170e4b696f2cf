"""How a fit ended, in MLflow's words."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

__all__ = ["FINISHED", "Outcome", "Status", "now", "outcome_of"]

Status = Literal["FINISHED", "FAILED", "KILLED"]

#: Exit codes of a process that a signal ended: Ctrl-C and SIGTERM.
_SIGNAL_EXITS = (128 + 2, 128 + 15)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's last status, and the reason where it is not FINISHED."""

    status: Status
    reason: str = ""


FINISHED = Outcome("FINISHED")


def outcome_of(error: BaseException | None) -> Outcome:
    """Return what an exception that leaves a fit, or None, makes of its run."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return FINISHED
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    stopped = isinstance(error, KeyboardInterrupt) or (isinstance(error, SystemExit) and error.code in _SIGNAL_EXITS)
    return Outcome("KILLED" if stopped else "FAILED", reason)


def now() -> int:
    """Return the time in milliseconds since the epoch, as MLflow counts it."""
    return time.time_ns() // 1_000_000
