"""Whether the parts of a batch are done together by several threads, or one after the other by one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

__all__ = ["Pace"]

#: Runs whose mean time counts: alone, together for good, and together to see whether it pays again.
_ALONE, _TOGETHER, _AGAIN = 4, 16, 4
#: Runs alone before the threads are tried again: at first, and at most; each trial that fails doubles them.
_FEWEST, _MOST = 64, 4096
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
    _left: int = _ALONE
    _runs: list[float] = field(default_factory=list)
    _patience: int = _FEWEST
    _windows: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def took(self, together: bool, seconds: float) -> None:
        """Tell whether a run was in several threads, and how long it took for each of the steps that it had."""
        with self._lock:
            if together != self.together:  # a run beside it has ended what was to be found out
                return
            self._left -= 1
            if together or self._left < _ALONE:
                self._runs.append(seconds)
            if self._left == 0:
                self._end(sum(self._runs) / len(self._runs))

    def _end(self, mean: float) -> None:
        self._runs.clear()
        if self.together:
            self._end_together(mean)
        else:
            self._alone, self.together, self._left, self._windows = mean, True, _AGAIN, 0

    def _end_together(self, mean: float) -> None:
        if mean >= self._alone:
            self.together, self._left = False, self._patience
            self._patience = min(2 * self._patience, _MOST)
        elif self._windows == _WINDOWS:
            self.together, self._left = False, _ALONE
        else:
            self._patience = _FEWEST if self._windows else self._patience
            self._windows, self._left = self._windows + 1, _TOGETHER
