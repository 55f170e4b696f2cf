"""What is done and what is left of a search, or of one fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from seqpipe.progress._events import REFIT, FitEvent
from seqpipe.progress._ranking import Ranking

__all__ = ["Lowest", "Running", "Tally"]


@dataclass
class Running:
    """A fit that has begun.

    Attributes
    ----------
    began : float
        When, in seconds.
    worker : tuple of (int, int)
        The process and thread that runs it.
    epoch, n_epochs : int
        Epochs done and planned; 0 if they are unknown.
    """

    began: float
    worker: tuple[int, int]
    epoch: int = 0
    n_epochs: int = 0
    _first: tuple[float, int] | None = None
    _last: float = 0.0

    def note_epoch(self, epoch: int, n_epochs: int, now: float) -> None:
        """Note that an epoch is done."""
        self.epoch, self.n_epochs, self._last = epoch, n_epochs, now
        if self._first is None:
            self._first = (now, epoch)

    @property
    def pace(self) -> float | None:
        """Seconds per epoch, without those before the first one, in which a worker may start and a cell be compiled."""
        if self._first is None:
            return None
        since, epoch = self._first
        done = self.epoch - epoch
        return (self._last - since) / done if done > 0 else self._last - self.began


@dataclass(frozen=True)
class Lowest:
    """The lowest loss so far: ``name`` is the validation loss if there is one."""

    name: str
    value: float
    fit: int


@dataclass
class Tally:
    """Counts fits and their epochs, and estimates the time that is left.

    Attributes
    ----------
    is_search : bool
        Whether the fits are those of a search.
    refits : bool
        Whether a refit follows the fits of the search.
    n_fits : int or None
        Number of planned fits, the refit included; None if that is not known yet.
    done, failed : int
        Numbers of fits that have ended, and of those of them that failed.
    running : dict of int to Running
        The fits that have begun and not ended.
    lowest : Lowest or None
        The lowest loss so far.
    ranking : Ranking
        The scores of the candidates so far.
    """

    is_search: bool
    refits: bool = False
    n_fits: int | None = None
    done: int = 0
    failed: int = 0
    running: dict[int, Running] = field(default_factory=dict)
    lowest: Lowest | None = None
    ranking: Ranking = field(default_factory=Ranking)
    _durations: list[float] = field(default_factory=list)
    _epochs: list[int] = field(default_factory=list)
    _errors: set[int] = field(default_factory=set)
    _n_workers: int = 1

    def begin(self, now: float) -> None:
        """Note that a fit without a search has begun."""
        self.n_fits = 1
        self.running[0] = Running(now, (0, 0))

    def plan(self, n_fits: int) -> None:
        """Note how many fits a search has without its refit."""
        self.n_fits = n_fits + self.refits

    def apply(self, event: FitEvent, now: float) -> None:
        """Apply an event that arrived at ``now``, in seconds."""
        if event.error is not None:
            self._errors.add(event.fit)
        if event.kind == "began":
            self._begin(event, now)
        elif event.kind == "epoch":
            self._note_epoch(event, now)
        elif event.kind == "ended":
            self.end(event.fit, now)
        elif event.kind == "scored":
            self.ranking.add(event)

    def _begin(self, event: FitEvent, now: float) -> None:
        """Begin a fit, and end the one that its worker had: one that fails in a transformer does not report its end."""
        for fit in [fit for fit, each in self.running.items() if each.worker == event.worker or event.fit == REFIT]:
            self._errors.add(fit)
            self.end(fit, now)
        if not self.is_search:  # a search inside of another estimator
            self.is_search, self.n_fits = True, None
            self.running.pop(0, None)
        if event.n_fits is not None:
            self.plan(event.n_fits)
        self.running[event.fit] = Running(now, event.worker)
        self._n_workers = max(self._n_workers, len(self.running))

    def _note_epoch(self, event: FitEvent, now: float) -> None:
        running = self.running.get(event.fit)
        if running is not None:
            running.note_epoch(event.epoch or 0, event.n_epochs or 0, now)
        losses = event.losses or {}
        name = "valid_loss" if "valid_loss" in losses else "train_loss"
        value = losses.get(name, math.nan)
        if event.fit == REFIT or not math.isfinite(value):
            return  # the refit has seen all data
        if self.lowest is None or (name == self.lowest.name and value < self.lowest.value):
            self.lowest = Lowest(name, value, event.fit)

    def end(self, fit: int, now: float) -> None:
        """Note that a fit has ended."""
        running = self.running.pop(fit, None)
        if running is None:
            return
        self.done += 1
        if fit in self._errors:
            self.failed += 1
            return
        self._durations.append(now - running.began)
        if running.epoch:
            self._epochs.append(running.epoch)

    def seconds_left(self, now: float) -> float | None:
        """Estimate the time that is left, in seconds, from the fits done and the epochs of the present ones.

        Fits that early stopping has ended tell how many of the planned epochs to expect of the others.

        Returns
        -------
        seconds : float or None
            None as long as neither a fit nor an epoch is done, or the number of fits is not known.
        """
        if self.n_fits is None or (whole := self._seconds_per_fit()) is None:
            return None
        present = [self._seconds_left_of(running, whole, now) for running in self.running.values()]
        refit = whole if self.refits and REFIT not in self.running and self.done < self.n_fits else 0.0
        waiting = max(0, self.n_fits - self.done - len(self.running) - bool(refit))
        return max([(sum(present) + waiting * whole) / self._n_workers, *present]) + refit

    def _seconds_per_fit(self) -> float | None:
        if self._durations:
            return sum(self._durations) / len(self._durations)
        expected = [
            each.pace * each.n_epochs for each in self.running.values() if each.pace is not None and each.n_epochs
        ]
        return sum(expected) / len(expected) if expected else None

    def _seconds_left_of(self, running: Running, whole: float, now: float) -> float:
        if running.pace is None:
            return max(0.0, whole - (now - running.began))
        expected = sum(self._epochs) / len(self._epochs) if self._epochs else running.n_epochs
        return running.pace * max(0.0, min(expected, running.n_epochs or expected) - running.epoch)
