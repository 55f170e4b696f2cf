"""Exceptions that stop training before its last epoch; `SequenceNet.train` returns their message as the reason.

::

    StopTraining             raised by a callback of seqpipe, such as `EarlyStopping` or `EpochListener`
    ├── Diverged             raised by `GradientGuard`; the estimator warns
    └── (KeyboardInterrupt)  raised by a callback of skorch or of a user at the end of an epoch, skorch's convention for
                             stopping: `requested_stops` turns it into a StopTraining

The weights learned until then are kept. Any other exception, and Ctrl-C at any time, ends the fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seqpipe.process import noted_interrupts

__all__ = ["Diverged", "StopTraining", "requested_stops"]


class StopTraining(Exception):
    """Stops training; the weights learned so far are kept."""


class Diverged(StopTraining):
    """Stops training because a value is no longer finite."""


@contextmanager
def requested_stops() -> Iterator[None]:
    """Turn a KeyboardInterrupt raised by a callback in the context into `StopTraining`, but not one raised by SIGINT.

    Raises
    ------
    StopTraining
        If a callback raised KeyboardInterrupt.
    """
    with noted_interrupts() as signals:
        try:
            yield
        except KeyboardInterrupt as error:
            if signals:
                raise
            raise StopTraining("a callback stopped it") from error
