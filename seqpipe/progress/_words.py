"""The words of a line of progress."""

from __future__ import annotations

from collections.abc import Callable

from seqpipe.progress._tally import Running, Tally
from seqpipe.tables import count

__all__ = ["best_of", "duration", "epochs_of", "last_line", "line", "summary"]

#: How many of the running fits a line names.
_NAMED = 3


def duration(seconds: float) -> str:
    """Return a duration as a person says it, in the larger one or two units.

    Examples
    --------
    >>> duration(4.2), duration(75), duration(7300)
    ('4 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def summary(tally: Tally, spent: float, left: float | None) -> str:
    """Return fits done and left, the time spent, and the time left."""
    parts = []
    if tally.is_search:
        of_all = "" if tally.n_fits is None else f"/{tally.n_fits}"
        remaining = "" if tally.n_fits is None else f", {tally.n_fits - tally.done} left"
        parts.append(f"fits {tally.done}{of_all}{remaining}")
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    parts.append(duration(spent))
    parts.append("time left unknown" if left is None else f"about {duration(left)} left")
    return " | ".join(parts)


def best_of(tally: Tally, name_of: Callable[[int], str]) -> str:
    """Return the best so far; nothing before the first epoch."""
    if tally.best is None:
        return ""
    whose = f" ({name_of(tally.best.fit)})" if tally.is_search else ""
    return f"best {tally.best.name} {tally.best.value:.4g}{whose}"


def line(tally: Tally, name_of: Callable[[int], str], spent: float, left: float | None) -> str:
    """Return a line with all of it."""
    running = epochs_of(tally, name_of)
    more = [f"and {len(running) - _NAMED} more"] if len(running) > _NAMED else []
    parts = [summary(tally, spent, left), best_of(tally, name_of), "; ".join([*running[:_NAMED], *more])]
    return " | ".join(part for part in parts if part)


def epochs_of(tally: Tally, name_of: Callable[[int], str]) -> list[str]:
    """Return the epochs of each running fit."""
    return [_of_fit(fit, each, tally, name_of) for fit, each in sorted(tally.running.items())]


def _of_fit(fit: int, running: Running, tally: Tally, name_of: Callable[[int], str]) -> str:
    of_all = f"/{running.n_epochs}" if running.n_epochs else ""
    epochs = f"epoch {running.epoch}{of_all}"
    return f"{name_of(fit)}: {epochs}" if tally.is_search else epochs


def last_line(tally: Tally, name_of: Callable[[int], str], spent: float) -> str:
    """Return the line after the end."""
    if tally.is_search:
        of_all = "" if tally.n_fits in (None, tally.done) else f" of {tally.n_fits}"
        failed = f", {tally.failed} failed" if tally.failed else ""
        parts = [f"{tally.done}{of_all} fits in {duration(spent)}{failed}", best_of(tally, name_of)]
    else:
        n_epochs = max((running.epoch for running in tally.running.values()), default=0)
        parts = [f"{count(n_epochs, 'epoch')} in {duration(spent)}", best_of(tally, name_of)]
    return " | ".join(part for part in parts if part)
