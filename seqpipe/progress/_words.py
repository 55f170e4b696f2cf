"""The words of a line of progress."""

from __future__ import annotations

from dataclasses import dataclass, field

from seqpipe.progress._events import REFIT
from seqpipe.progress._tally import Running, Tally
from seqpipe.tables import count

__all__ = ["Names", "best_of", "duration", "epochs_of", "last_line", "line", "summary"]

#: How many of the running fits a line names.
_NAMED = 3


@dataclass(frozen=True)
class Names:
    """The names of candidates and of their folds.

    Attributes
    ----------
    candidates : list of str
        Of the candidates, as far as they are known.
    n_splits : int
        Number of folds of each candidate.
    """

    candidates: list[str] = field(default_factory=list)
    n_splits: int = 1

    def candidate(self, number: int) -> str:
        """Return the name of a candidate by its number, from 0."""
        return self.candidates[number] if number < len(self.candidates) else f"candidate {number + 1}"

    def fit(self, number: int) -> str:
        """Return the name of a fit by its number."""
        if number == REFIT:
            return "refit"
        candidate, fold = divmod(number, self.n_splits)
        return f"{self.candidate(candidate)} · fold {fold + 1}"


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


def best_of(tally: Tally, names: Names) -> str:
    """Return the best score so far, or the lowest loss until a candidate is scored; nothing before the first epoch."""
    if (best := tally.ranking.best) is not None:
        return f"best {best.name} {best.value:.4g} ({names.candidate(best.candidate)})"
    if (lowest := tally.lowest) is None:
        return ""
    whose = f" ({names.fit(lowest.fit)})" if tally.is_search else ""
    return f"lowest {lowest.name} {lowest.value:.4g}{whose}"


def line(tally: Tally, names: Names, spent: float, left: float | None) -> str:
    """Return a line with all of it."""
    running = epochs_of(tally, names)
    more = [f"and {len(running) - _NAMED} more"] if len(running) > _NAMED else []
    parts = [summary(tally, spent, left), best_of(tally, names), "; ".join([*running[:_NAMED], *more])]
    return " | ".join(part for part in parts if part)


def epochs_of(tally: Tally, names: Names) -> list[str]:
    """Return the epochs of each running fit."""
    return [_of_fit(fit, each, tally, names) for fit, each in sorted(tally.running.items())]


def _of_fit(fit: int, running: Running, tally: Tally, names: Names) -> str:
    of_all = f"/{running.n_epochs}" if running.n_epochs else ""
    epochs = f"epoch {running.epoch}{of_all}"
    return f"{names.fit(fit)}: {epochs}" if tally.is_search else epochs


def last_line(tally: Tally, names: Names, spent: float) -> str:
    """Return the line after the end."""
    if tally.is_search:
        of_all = "" if tally.n_fits in (None, tally.done) else f" of {tally.n_fits}"
        failed = f", {tally.failed} failed" if tally.failed else ""
        parts = [f"{tally.done}{of_all} fits in {duration(spent)}{failed}", best_of(tally, names)]
    else:
        n_epochs = max((running.epoch for running in tally.running.values()), default=0)
        parts = [f"{count(n_epochs, 'epoch')} in {duration(spent)}", best_of(tally, names)]
    return " | ".join(part for part in parts if part)
