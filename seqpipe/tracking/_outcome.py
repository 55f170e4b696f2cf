"""Outcomes of fits as MLflow run statuses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from seqpipe.tracking._params import as_text

__all__ = [
    "FINISHED",
    "LOST",
    "NOT_BEGUN",
    "UNFINISHED",
    "UNRECORDED",
    "UNSCORED",
    "Outcome",
    "Status",
    "now",
    "outcome_of",
]

Status = Literal["FINISHED", "FAILED", "KILLED"]

#: Exit codes of a process ended by Ctrl-C or SIGTERM.
_SIGNAL_EXITS = (128 + 2, 128 + 15)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The final status of a run, with the reason if it is not FINISHED."""

    status: Status
    reason: str = ""


FINISHED = Outcome("FINISHED")
LOST = Outcome("KILLED", "process ended without closing the run")
# A search continues when a fit inside it fails, so that no exception leaves the search.
NOT_BEGUN = Outcome(
    "FAILED",
    "the fit failed before it began, and its FitFailedWarning has the traceback; or its worker cannot reach the process "
    "that writes runs, as from another machine",
)
UNFINISHED = Outcome("FAILED", "the fit did not finish; its FitFailedWarning has the traceback")
UNRECORDED = Outcome("FAILED", "the end of the fit could not be recorded; a TrackingWarning has the reason")
UNSCORED = Outcome("FAILED", "the fit or its scoring failed; the warning at the end of the search has the traceback")


def outcome_of(error: BaseException | None, reported: str | None = None) -> Outcome:
    """Return the outcome of a fit.

    Parameters
    ----------
    error : BaseException or None
        The exception that it raised.
    reported : str or None
        The error that it reported by itself, if any.
    """
    if reported is None and (error is None or (isinstance(error, SystemExit) and error.code in (None, 0))):
        return FINISHED
    reason = f"{type(error).__name__}: {error}".removesuffix(": ") if reported is None else reported
    stopped = isinstance(error, KeyboardInterrupt) or (isinstance(error, SystemExit) and error.code in _SIGNAL_EXITS)
    return Outcome("KILLED" if stopped else "FAILED", as_text(reason))


def now() -> int:
    """Return the time in milliseconds since 1970, as MLflow expects."""
    return time.time_ns() // 1_000_000
