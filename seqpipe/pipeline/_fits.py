"""A callback that follows the fits of a recipe, in any process that runs them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from seqpipe.callbacks import FOLD, FitListener, FitTask, open_channel
from seqpipe.callbacks import REFIT as REFIT_TASK

__all__ = ["REFIT", "FitCounter", "FitEvent", "FitNotes"]

#: The number of the refit.
REFIT = -1


@dataclass(frozen=True, slots=True)
class FitEvent:
    """An event of one fit.

    Attributes
    ----------
    kind : {"began", "ended", "epoch", "reported"}
        Kind of event; "reported" is the end of an estimator's fit, with its metadata. A fit that raises has
        no "ended" event unless its estimator reports one.
    fit : int
        Candidate times number of folds plus fold, `REFIT` for the refit, 0 without a search.
    epoch, n_epochs : int or None
        Number of completed, and of planned epochs.
    n_parameters : int or None
        Number of trainable parameters of the model.
    seconds, compile_seconds : float or None
        Duration of training, and of compilation before it, in seconds.
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
    """Information about the fits, collected in the process that started them.

    Attributes
    ----------
    errors : dict of int to str
        Why a fit failed, by number of the fit.
    n_parameters : dict of int to int
        Number of trainable parameters of the model, by number of the fit.
    seconds, compile_seconds : dict of int to float
        Duration of training, and of compilation before it, in seconds, by number of the fit.
    running : set of int
        Numbers of the fits that have begun and not ended.
    """

    show: Callable[[FitEvent], None]
    errors: dict[int, str] = field(default_factory=dict)
    n_parameters: dict[int, int] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    compile_seconds: dict[int, float] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, event: FitEvent) -> None:
        """Record an event and pass it on; events of several workers are serialised."""
        with self._lock:
            if event.kind == "began":
                self.running.add(event.fit)
            elif event.kind == "ended":
                self.running.discard(event.fit)
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
        Receives the events; it stays in the process that started the fits.
    """

    def __init__(self, notes: FitNotes) -> None:
        super().__init__()
        self._channel = open_channel(notes.receive, self)

    def began(self, estimator: Any, task: FitTask, X: Any, y: Any) -> None:
        """Report the beginning of a fit."""
        if _is_fit(task):
            self._channel.send(FitEvent("began", _number(task)))

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        """Report an epoch, the summary of an estimator's fit, and the end of a fit."""
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
    """Return the number of the fit that a task belongs to."""
    for role, number in reversed(task.path):
        if role == REFIT_TASK:
            return REFIT
        if role == FOLD:
            return number
    return 0
