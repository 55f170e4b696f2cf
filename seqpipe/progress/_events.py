"""A callback that follows fits, in any process that runs them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from seqpipe.callbacks import FOLD, RUNG, FitListener, FitTask, open_channel
from seqpipe.callbacks import REFIT as REFIT_TASK

__all__ = ["REFIT", "FitCounter", "FitEvent"]

#: The number of the refit.
REFIT = -1


@dataclass(frozen=True, slots=True)
class FitEvent:
    """An event of one fit.

    Attributes
    ----------
    kind : {"began", "ended", "epoch", "reported", "scored"}
        Kind of event; "reported" is the end of an estimator's fit, with its metadata, and "scored" comes after the end of a
        fold. A fit that raises has no "ended" event unless its estimator reports one.
    fit : int
        Candidate times number of folds plus fold, `REFIT` for the refit, 0 without a search.
    worker : tuple of (int, int)
        The process and thread that runs the fit.
    n_fits : int or None
        Number of planned fits of the search without the refit, where it is known.
    epoch, n_epochs : int or None
        Number of completed, and of planned epochs.
    losses : dict of str to float
        The losses of the epoch.
    n_parameters : int or None
        Number of trainable parameters of the model.
    seconds, compile_seconds : float or None
        Duration of training, and of compilation before it, in seconds.
    error : str or None
        Why the fit failed.
    scores : dict of str to float, or None
        Scores of the fold, such as "test_score".
    rung : int
        Number of the rung of a successive halving search, from 0.
    """

    kind: Literal["began", "ended", "epoch", "reported", "scored"]
    fit: int
    worker: tuple[int, int] = (0, 0)
    n_fits: int | None = None
    epoch: int | None = None
    n_epochs: int | None = None
    losses: dict[str, float] | None = None
    n_parameters: int | None = None
    seconds: float | None = None
    compile_seconds: float | None = None
    error: str | None = None
    scores: dict[str, float] | None = None
    rung: int = 0


class FitCounter(FitListener):
    """Notifies ``receive`` of the fits of a search, or of one estimator.

    Parameters
    ----------
    receive : callable (FitEvent) -> None
        Called in the process that created this object, by any of its threads.
    """

    def __init__(self, receive: Callable[[FitEvent], None]) -> None:
        super().__init__()
        self._channel = open_channel(receive, self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: vars(self)[name] for name in ("_channel", "_under_way")}

    def began(self, estimator: Any, task: FitTask, X: Any, y: Any) -> None:
        """Report the beginning of a fit."""
        if _is_fit(task):
            worker = (os.getpid(), threading.get_ident())
            self._channel.send(FitEvent("began", _number(task), worker=worker, n_fits=_n_fits(task)))

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        """Report an epoch, the summary of an estimator's fit, and the end of a fit."""
        fit = _number(task)
        if "epoch" in metadata:
            losses = {name: float(value) for name, value in metadata.items() if name.endswith("_loss")}
            self._channel.send(
                FitEvent("epoch", fit, epoch=int(metadata["epoch"]), n_epochs=task.n_siblings, losses=losses)
            )
        elif "error" in metadata or "n_parameters" in metadata:
            known: Any = {name: metadata.get(name) for name in ("n_parameters", "compile_seconds", "error")}
            self._channel.send(FitEvent("reported", fit, seconds=metadata.get("fit_seconds"), **known))
        if _is_fit(task):
            self._channel.send(FitEvent("ended", fit))

    def scored(self, estimator: Any, task: FitTask, scores: dict[str, float]) -> None:
        """Report scores of a fold."""
        rung = next((number for role, number in task.path if role == RUNG), 0)
        self._channel.send(FitEvent("scored", _number(task), scores=scores, rung=rung))


def _is_fit(task: FitTask) -> bool:
    return task.role in (FOLD, REFIT_TASK)


def _n_fits(task: FitTask) -> int | None:
    return task.n_siblings if task.role == FOLD else None


def _number(task: FitTask) -> int:
    """Return the number of the fit that a task belongs to."""
    for role, number in reversed(task.path):
        if role == REFIT_TASK:
            return REFIT
        if role == FOLD:
            return number
    return 0
