"""A scikit-learn callback that counts a recipe's fits, in whatever process they run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from seqpipe.tracking import open_channel

__all__ = ["REFIT", "FitEvent", "FitListener", "FitNotes"]

#: What scikit-learn calls the tasks of a search.
_FOLD_TASK, _REFIT_TASK = "candidate-split-evaluation", "refit-with-best-params"

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


class FitListener:
    """Tells ``notes`` about the fits of a search, or of one estimator.

    Parameters
    ----------
    notes : FitNotes
        Where events go; it stays in the process that began the fits.
    """

    max_propagation_depth = None

    def __init__(self, notes: FitNotes) -> None:
        self._channel = open_channel(notes.receive, self)
        self._under_way: set[UUID] = set()

    def setup(self, estimator: Any, context: Any) -> None:
        """Remember an outermost fit."""
        self._under_way.add(context.root_uuid)

    def teardown(self, estimator: Any, context: Any) -> None:
        """Forget it: threads that still fit a part of it have to stop."""
        self._under_way.discard(context.root_uuid)

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Tell of a fit that begins."""
        if _is_fit(context):
            self._channel.send(FitEvent("began", _number(context)))

    def on_fit_task_end(self, estimator: Any, context: Any, *, metadata: Any = None) -> bool:
        """Tell of an epoch, of what an estimator says of its fit, and of a fit that is over.

        Returns
        -------
        stop : bool
            Whether the outermost fit was broken off.
        """
        told, fit = metadata or {}, _number(context)
        if "epoch" in told:
            n_epochs = context.parent.max_subtasks if context.parent is not None else None
            self._channel.send(FitEvent("epoch", fit, epoch=int(told["epoch"]), n_epochs=n_epochs))
        elif "error" in told or "n_parameters" in told:
            known = {name: told.get(name) for name in ("n_parameters", "compile_seconds", "error")}
            self._channel.send(FitEvent("reported", fit, seconds=told.get("fit_seconds"), **known))
        if _is_fit(context):
            self._channel.send(FitEvent("ended", fit))
        return context.root_uuid not in self._under_way


def _task(context: Any) -> str:
    return str(context.source_task_name or context.task_name)


def _is_fit(context: Any) -> bool:
    return _task(context) in (_FOLD_TASK, _REFIT_TASK)


def _number(context: Any) -> int:
    while context is not None and not _is_fit(context):
        context = context.parent
    if context is None:
        return 0
    return REFIT if _task(context) == _REFIT_TASK else int(context.task_id)
