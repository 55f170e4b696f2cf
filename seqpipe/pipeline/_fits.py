"""A callback that counts a recipe's fits, in any process that runs them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from seqpipe.callbacks import FOLD, FitListener, FitTask, open_channel
from seqpipe.callbacks import REFIT as REFIT_TASK

__all__ = ["REFIT", "FitCounter", "FitEvent", "FitNotes"]

#: Stands for the refit where a fit's number is asked for.
REFIT = -1


@dataclass(frozen=True, slots=True)
class FitEvent:
    """Something that happened to one fit.

    Attributes
    ----------
    kind : {"began", "ended", "epoch", "reported"}
        What happened; "reported" is the estimator's own end, with what it says about it. A fit that raises tells
        no end unless its estimator does.
    fit : int
        Candidate times folds plus fold, `REFIT` for the refit, 0 without a search.
    epoch, n_epochs : int or None
        How many epochs are done, and planned.
    n_parameters : int or None
        Trained numbers in the model.
    seconds, compile_seconds : float or None
        How long it trained, and how long it compiled before.
    error : str or None
        Why the fit failed.
    """

    kind: Literal["began", "ended", "epoch", "reported"]
    fit: int
    epoch: int | None = None
    n_epochs: int | None = None
    n_parameters: int | None = None
    seconds: float | None = None
    compile_seconds: float | None = None
    error: str | None = None


@dataclass
class FitNotes:
    """What the fits have said, as the process that began them knows it.

    Attributes
    ----------
    errors : dict of int to str
        Why a fit failed, by its number.
    n_parameters : dict of int to int
        Trained numbers in the model, by the fit's number.
    seconds, compile_seconds : dict of int to float
        How long it trained, and how long it compiled before, by the fit's number.
    """

    show: Callable[[FitEvent], None]
    errors: dict[int, str] = field(default_factory=dict)
    n_parameters: dict[int, int] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    compile_seconds: dict[int, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, event: FitEvent) -> None:
        """Note an event and pass it on; events of several workers come one at a time."""
        with self._lock:
            if event.error is not None:
                self.errors.setdefault(event.fit, event.error)
            if event.n_parameters is not None:
                self.n_parameters[event.fit] = event.n_parameters
            if event.seconds is not None and event.compile_seconds is not None:
                self.seconds[event.fit], self.compile_seconds[event.fit] = event.seconds, event.compile_seconds
            self.show(event)


class FitCounter(FitListener):
    """Notifies ``notes`` of the fits of a search, or of one estimator.

    Parameters
    ----------
    notes : FitNotes
        Where events go; it stays in the process that began the fits.
    """

    def __init__(self, notes: FitNotes) -> None:
        super().__init__()
        self._channel = open_channel(notes.receive, self)

    def began(self, estimator: Any, task: FitTask, X: Any, y: Any) -> None:
        """Report a fit that begins."""
        if _is_fit(task):
            self._channel.send(FitEvent("began", _number(task)))

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        """Report an epoch, the summary of an estimator's fit, and a fit that is over."""
        fit = _number(task)
        if "epoch" in metadata:
            event = FitEvent("epoch", fit, epoch=int(metadata["epoch"]), n_epochs=task.n_siblings)
            self._channel.send(event)
        elif "error" in metadata or "n_parameters" in metadata:
            known = {name: metadata.get(name) for name in ("n_parameters", "compile_seconds", "error")}
            self._channel.send(FitEvent("reported", fit, seconds=metadata.get("fit_seconds"), **known))
        if _is_fit(task):
            self._channel.send(FitEvent("ended", fit))


def _is_fit(task: FitTask) -> bool:
    return task.role in (FOLD, REFIT_TASK)


def _number(task: FitTask) -> int:
    """Return the number of the fit that a task is a part of."""
    for role, number in reversed(task.path):
        if role == REFIT_TASK:
            return REFIT
        if role == FOLD:
            return number
    return 0
