"""Fits in several threads that wait for each other after every epoch."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Lockstep"]


class Lockstep:
    """Lets fits go on to their next epoch together, and hears of the mean of their scores.

    A fit that has ended keeps its last score, and the others no longer wait for it.

    Parameters
    ----------
    n_fits : int
    report : callable (mean score, epoch) -> bool
        Called after each epoch, counted from 1; returns whether all fits are to stop.

    Attributes
    ----------
    epoch : int
        Number of epochs that all fits have done.
    pruned : bool
        Whether ``report`` requested a stop.
    """

    def __init__(self, n_fits: int, report: Callable[[float, int], bool]) -> None:
        self._report = report
        self._changed = threading.Condition()
        self._running = set(range(n_fits))
        self._arrived: set[int] = set()
        self._scores: dict[int, float] = {}
        self._stopped = False
        self.epoch = 0
        self.pruned = False

    def after_epoch(self, fit: int, score: float) -> bool:
        """Wait until all fits that run have done the epoch; return whether to stop."""
        with self._changed:
            self._scores[fit] = score
            self._arrived.add(fit)
            epoch = self.epoch
            self._go_on()
            self._changed.wait_for(lambda: self.epoch > epoch or self._stopped)
            return self._stopped

    def leave(self, fit: int, *, failed: bool = False) -> None:
        """Note that a fit has ended; if it ``failed``, the others stop."""
        with self._changed:
            self._running.discard(fit)
            self._arrived.discard(fit)
            self._stopped |= failed
            self._go_on()

    def stop(self) -> None:
        """Stop all fits."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _go_on(self) -> None:
        """Begin the next epoch if all fits that run have arrived."""
        try:
            if self._arrived and self._arrived == self._running and not self._stopped:
                self.pruned = self._report(sum(self._scores.values()) / len(self._scores), self.epoch + 1)
                self._stopped = self.pruned
                self.epoch += 1
                self._arrived.clear()
        except BaseException:
            self._stopped = True
            raise
        finally:
            self._changed.notify_all()
