"""What is known of the fits of a recipe."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from seqpipe.progress import FitEvent

__all__ = ["FitNotes"]


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

    errors: dict[int, str] = field(default_factory=dict)
    n_parameters: dict[int, int] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    compile_seconds: dict[int, float] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, event: FitEvent) -> None:
        """Record an event; those of several workers are serialised."""
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
