"""Whether the parts of a batch are done together by several threads, or one after the other by one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

__all__ = ["Pace"]

#: Runs whose mean time counts, alone and together; at a trial those together come after some that wake the threads.
_ALONE, _TOGETHER, _TRIAL, _WAKING = 4, 16, 4, 2
#: After a trial that did not pay, no other for that many times as long as it took.
_REST = 30
#: Windows together, all of them faster, after which one alone is timed anew.
_WINDOWS = 64


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
