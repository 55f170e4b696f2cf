"""The scores of candidates while a search runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean

from seqpipe.progress._events import FitEvent

__all__ = ["Ranking", "Scored"]


@dataclass(frozen=True)
class Scored:
    """A candidate of which all folds are scored: the name of the score, its mean, and the number of the candidate, from 0."""

    name: str
    value: float
    candidate: int


@dataclass
class Ranking:
    """The candidates of which all folds are scored.

    Attributes
    ----------
    n_splits : int
        Number of folds of each candidate.
    metric : str or None
        The metric that ranks them; None for the first one.
    best : Scored or None
        The candidate with the greatest mean score so far; of a successive halving search, in the last rung that has one.
    """

    n_splits: int = 1
    metric: str | None = "score"
    best: Scored | None = None
    _scores: dict[tuple[int, int], dict[int, float]] = field(default_factory=dict)
    _rung: int = 0

    def add(self, event: FitEvent) -> None:
        """Add the scores of a fold."""
        scores = {name.removeprefix("test_"): v for name, v in (event.scores or {}).items() if name.startswith("test_")}
        if self.metric is None:
            self.metric = next(iter(scores), None)
        if self.metric not in scores:
            return
        candidate, fold = divmod(event.fit, self.n_splits)
        folds = self._scores.setdefault((event.rung, candidate), {})
        folds[fold] = scores[self.metric]
        mean = fmean(folds.values())
        is_better = self.best is None or (event.rung, mean) > (self._rung, self.best.value)
        if len(folds) == self.n_splits and math.isfinite(mean) and is_better:
            self._rung, self.best = event.rung, Scored(self.metric, mean, candidate)
