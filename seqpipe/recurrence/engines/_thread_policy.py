"""When to use several threads.

`POLICY` holds the thresholds, measured on two cores. Below the lower one several threads are always slower, above the
upper one always faster; in between `Pace` decides from measured run times.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

__all__ = ["POLICY", "Pace", "ThreadPolicy"]

#: Number of runs whose times are averaged: with one thread, with several, and with several in a trial, which begins
#: with some warm-up runs.
_SINGLE, _MULTI, _TRIAL, _WARM_UP = 4, 16, 4, 2
#: After an unsuccessful trial, the next one is delayed by this multiple of its duration.
_BACKOFF = 30
#: Number of consecutive faster windows with several threads after which one thread is timed again.
_MAX_WINDOWS = 64


@dataclass(frozen=True)
class ThreadPolicy:
    """Amounts of work from which several threads are used, in multiplications unless documented otherwise.

    Attributes
    ----------
    compiled_run : int
        Work of a compiled run below which it uses one thread.
    long_run : int
        Work of a compiled run from which it always uses several threads; below, `Pace` decides.
    outside_loop : int
        Work of all products that torch computes for all steps at once.
    one_step : int
        Work of one product of a single step in torch.
    row_of_run : int
        Work per row of one product that torch computes for a run of steps, which has some hundred rows.
    scanned_step : int
        Size of one step of a linear recurrence, in elements per thread, up to which chunks are faster.
    """

    compiled_run: int = 2_000_000
    long_run: int = 100_000_000
    outside_loop: int = 256_000_000
    one_step: int = 4_000_000
    row_of_run: int = 80_000
    scanned_step: int = 1024

    def parts(self, work: int, n_rows: int, threads: int) -> int:
        """Return the number of parts, one per thread, for the rows of a compiled run with this much work."""
        return min(threads, n_rows) if work >= self.compiled_run else 1

    def is_short(self, work: int) -> bool:
        """Return whether a compiled run is so short that several threads may be slower."""
        return work < self.long_run


#: The policy of all engines.
POLICY = ThreadPolicy()


@dataclass
class Pace:
    """Choose between one and several threads from measured run times.

    When other processes use the cores, a thread that waits for a core can delay a small run by a factor of a hundred.
    Results do not depend on the number of threads.

    Attributes
    ----------
    together : bool
        Whether the next run should use several threads.
    """

    together: bool = False
    _single_mean: float = 0.0
    _delay: float = 0.0
    _windows: int = 0
    _runs: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def took(self, together: bool, seconds: float) -> None:
        """Record whether a run used several threads, and its time per step."""
        with self._lock:
            if together != self.together:  # the mode was changed by a concurrent run
                return
            self._runs.append(seconds)
            if together:
                self._evaluate_multi()
            else:
                self._evaluate_single(seconds)

    def _evaluate_single(self, seconds: float) -> None:
        self._delay -= seconds
        del self._runs[:-_SINGLE]
        if self._delay <= 0 and len(self._runs) == _SINGLE:
            self._single_mean = sum(self._runs) / _SINGLE
            self._begin(together=True)

    def _evaluate_multi(self) -> None:
        trial = self._windows == 0
        skipped, counted = (_WARM_UP, _TRIAL) if trial else (0, _MULTI)
        if len(self._runs) < skipped + counted:
            return
        faster = sum(self._runs[skipped:]) / counted < self._single_mean
        self._windows += 1
        if trial and not faster:
            self._delay = _BACKOFF * sum(self._runs)
        if not faster or self._windows > _MAX_WINDOWS:
            self._begin(together=False)
        self._runs.clear()

    def _begin(self, *, together: bool) -> None:
        self.together, self._windows = together, 0
        self._runs.clear()
