"""Scores of a candidate's folds, which come while the search runs, and again with its results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["FoldScores"]


class FoldScores:
    """Takes each score once.

    A mean that is computed here may differ from that of the search in the last bit; the one that came first is kept.

    Parameters
    ----------
    n_folds : int
        Number of folds of the candidate.
    """

    def __init__(self, n_folds: int) -> None:
        self._folds: list[dict[str, float]] = [{} for _ in range(n_folds)]
        self._of_candidate: set[str] = set()

    def add(self, fold: int, scores: Mapping[str, float]) -> dict[str, float]:
        """Add scores of a fold by their names, and return those that are new."""
        known = self._folds[fold]
        new = {name: value for name, value in scores.items() if name not in known}
        known |= new
        return new

    def summary(self) -> dict[str, float]:
        """Return mean and standard deviation of the scores that all folds have, if they are new."""
        found: dict[str, float] = {}
        with np.errstate(all="ignore"):  # scores may be infinite
            for name in self._folds[0]:
                values = [fold[name] for fold in self._folds if name in fold]
                if len(values) == len(self._folds):
                    found |= {f"mean_{name}": float(np.mean(values)), f"std_{name}": float(np.std(values))}
        return self.rest(found)

    def rest(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return those metrics of the candidate that are new."""
        new = {name: value for name, value in metrics.items() if name not in self._of_candidate}
        self._of_candidate |= new.keys()
        return new
