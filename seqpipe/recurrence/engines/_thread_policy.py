"""From how much work on several threads pay, and whether they pay right now.

`POLICY` holds every threshold, each measured on two cores. Below some of them threads cost more than they save, above
others they always save more than they cost; between the two `Pace` learns from the time that runs take.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

__all__ = ["POLICY", "Pace", "ThreadPolicy"]

#: Runs whose mean time counts, alone and together; at a trial those together come after some that wake the threads.
_ALONE, _TOGETHER, _TRIAL, _WAKING = 4, 16, 4, 2
#: After a trial that did not pay, no other for that many times as long as it took.
_REST = 30
#: Windows together, all of them faster, after which one alone is timed again.
_WINDOWS = 64


@dataclass(frozen=True)
class ThreadPolicy:
    """From how much work on an engine uses several threads, in multiplications unless said otherwise.

    Attributes
    ----------
    compiled_run : int
        Of a compiled run: below, one thread does it all.
    long_run : int
        Of a compiled run: from here on, threads always pay; below, its `Pace` tells.
    outside_loop : int
        Of all products that are computed by torch for all steps at once.
    one_step : int
        Of one product of a single step that torch computes.
    row_of_run : int
        Per row, of one product that torch computes for a run of steps, which has some hundred rows.
    scanned_step : int
        Numbers of one step of a linear recurrence per thread, up to which taking the steps in chunks pays.
    """

    compiled_run: int = 2_000_000
    long_run: int = 100_000_000
    outside_loop: int = 256_000_000
    one_step: int = 4_000_000
    row_of_run: int = 80_000
    scanned_step: int = 1024

    def parts(self, work: int, n_rows: int, threads: int) -> int:
        """Return in how many parts, each in a thread, the rows of a compiled run of so many multiplications are cut."""
        return min(threads, n_rows) if work >= self.compiled_run else 1

    def is_short(self, work: int) -> bool:
        """Tell whether a compiled run is over so soon that threads may cost more than they save."""
        return work < self.long_run


#: What all engines go by.
POLICY = ThreadPolicy()


@dataclass
class Pace:
    """Learns from the time that runs take.

    Threads that have to wait for a core hold up the one that waits for them, by a hundred times the time of a small run
    where other processes want the cores. What is computed does not depend on who computes it.

    Attributes
    ----------
    together : bool
        Whether the next run should be in several threads.
    """

    together: bool = False
    _alone: float = 0.0
    _rest: float = 0.0
    _windows: int = 0
    _runs: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def took(self, together: bool, seconds: float) -> None:
        """Tell whether a run was in several threads, and how long it took for each of the steps that it had."""
        with self._lock:
            if together != self.together:  # a run beside it has ended what was to be found out
                return
            self._runs.append(seconds)
            if together:
                self._judge_together()
            else:
                self._judge_alone(seconds)

    def _judge_alone(self, seconds: float) -> None:
        self._rest -= seconds
        del self._runs[:-_ALONE]
        if self._rest <= 0 and len(self._runs) == _ALONE:
            self._alone = sum(self._runs) / _ALONE
            self._begin(together=True)

    def _judge_together(self) -> None:
        trial = self._windows == 0
        skipped, counted = (_WAKING, _TRIAL) if trial else (0, _TOGETHER)
        if len(self._runs) < skipped + counted:
            return
        paid = sum(self._runs[skipped:]) / counted < self._alone
        self._windows += 1
        if trial and not paid:
            self._rest = _REST * sum(self._runs)
        if not paid or self._windows > _WINDOWS:
            self._begin(together=False)
        self._runs.clear()

    def _begin(self, *, together: bool) -> None:
        self.together, self._windows = together, 0
        self._runs.clear()
