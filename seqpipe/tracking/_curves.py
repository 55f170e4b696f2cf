"""Learning curves of a candidate: mean and standard deviation over its folds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["SECONDS", "MeanCurves"]

#: The mean seconds of training up to an epoch, and the seconds of one epoch that a fold reports.
SECONDS, _EPOCH_SECONDS = "mean_seconds", "dur"
#: Beginnings of the names of curves; held-out data first, since MLflow's page that compares runs shows the first metric of a run.
_CURVES = ("valid_", "train_")


class MeanCurves:
    """Collects the epochs of all folds.

    An epoch has a point once every fold has reported it: no point changes later, and all are means over the same folds, so
    that the curves end with the shortest fold.

    Parameters
    ----------
    n_folds : int
        Number of folds of the candidate.
    """

    def __init__(self, n_folds: int) -> None:
        self._n_folds = n_folds
        self._epochs: dict[int, dict[int, dict[str, float]]] = {}
        self._seconds: dict[int, float] = {}

    def add(self, fold: int, epoch: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """Add an epoch of a fold, and return its point: empty unless this fold is the last to report the epoch.

        Of a fold that fits several networks only the first one counts.
        """
        reported = self._epochs.setdefault(epoch, {})
        if fold in reported:
            return {}
        self._seconds[fold] = self._seconds.get(fold, 0.0) + metrics.get(_EPOCH_SECONDS, 0.0)
        reported[fold] = {name: value for name, value in metrics.items() if name.startswith(_CURVES)}
        if _EPOCH_SECONDS in metrics:
            reported[fold][_EPOCH_SECONDS] = self._seconds[fold]
        return _summary(list(reported.values())) if len(reported) == self._n_folds else {}


def _summary(folds: list[dict[str, float]]) -> dict[str, float]:
    """Return mean and standard deviation of the curves that all folds have, and their mean seconds of training."""
    shared = set.intersection(*map(set, folds))
    found: dict[str, float] = {}
    with np.errstate(all="ignore"):  # losses may be infinite
        for name in sorted(shared - {_EPOCH_SECONDS}, key=_place):
            values = [fold[name] for fold in folds]
            found |= {f"mean_{name}": float(np.mean(values)), f"std_{name}": float(np.std(values))}
        if _EPOCH_SECONDS in shared:
            found[SECONDS] = float(np.mean([fold[_EPOCH_SECONDS] for fold in folds]))
    return found


def _place(name: str) -> tuple[int, str]:
    return next(i for i, start in enumerate(_CURVES) if name.startswith(start)), name
