"""How training stops before its last epoch: by an exception that `SequenceNet.train` turns into a reason.

::

    StopTraining             a callback of seqpipe asks for it, such as `EarlyStopping` or `EpochListener`
    ├── Diverged             `GradientGuard` asks for it; the estimator warns
    └── (KeyboardInterrupt)  a callback of skorch, or of a user, raises it at the end of an epoch, which is skorch's own
                             way to ask: `stops_asked_for` makes it a StopTraining

All that was learned until then is kept. Every other exception ends the fit, as does a Ctrl-C, wherever it strikes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seqpipe.process import noted_interrupts

__all__ = ["Diverged", "StopTraining", "stops_asked_for"]


class StopTraining(Exception):
    """Ends training; what was learned so far is kept."""


class Diverged(StopTraining):
    """Ends training because a number is no longer finite."""


@contextmanager
def stops_asked_for() -> Iterator[None]:
    """Make a KeyboardInterrupt that a callback raises inside a `StopTraining`; one that SIGINT raises stays what it is.

    Raises
    ------
    StopTraining
        If a callback asked for it.
    """
    with noted_interrupts() as signals:
        try:
            yield
        except KeyboardInterrupt as error:
            if signals:
                raise
            raise StopTraining("a callback stopped it") from error
