"""The steps that a forecaster is asked for, and the rows that have followed its training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.estimators.forecasting._known import Known
from seqpipe.estimators.forecasting._observed import Panel, about, read_future, read_panel
from seqpipe.exceptions import did_you_mean

__all__ = ["Future", "followed", "future_of"]

_STEPS, _HISTORY = "rows to forecast", "rows of history"


@dataclass(frozen=True)
class Future:
    """The steps to forecast of one series.

    Attributes
    ----------
    exogenous : array of shape (n_steps, n_features)
        Exogenous variables of the steps; n_features may be 0.
    index : Index of length n_steps
        Their times.
    """

    exogenous: NDArray[np.float64]
    index: pd.Index[Any]


def future_of(
    owner: Any, X: Any, known: Mapping[Any, Known], *, horizon: int, has_exogenous: bool
) -> dict[Any, Future]:
    """Return the steps to forecast by id, given the argument of ``predict``.

    Raises
    ------
    ValueError
        If exogenous variables are missing, or the rows do not follow the known ones.
    """
    if X is None or isinstance(X, Integral):
        n = horizon if X is None else int(X)
        _check_number(owner, n, has_exogenous)
        return {id: Future(np.empty((n, 0)), each.times.after(n)) for id, each in known.items()}
    rows = read_future(owner, X, has_exogenous=has_exogenous)
    _check_ids(rows, known, "X")
    found = {}
    for id, each in rows.items():
        with about(id):
            known[id].times.check_followed_by(each.index, name="X", what=_STEPS)
        index = known[id].times.after(len(each.exogenous)) if each.index is None else each.index
        found[id] = Future(each.exogenous, index)
    return found


def followed(
    owner: Any, known: Mapping[Any, Known], history: Any, *, n_outputs: int, has_exogenous: bool
) -> dict[Any, Known]:
    """Return what is known of each series once the rows of ``history`` have followed.

    Raises
    ------
    ValueError
        If the rows are invalid or do not directly follow.
    """
    X, y = history if isinstance(history, tuple) and len(history) == 2 else (history, None)
    if has_exogenous != (y is not None):
        raise ValueError(
            "This Forecaster was fitted with exogenous columns: pass what followed as a pair (X, y)."
            if has_exogenous
            else "This Forecaster was fitted without exogenous columns: pass what followed as one array, without y."
        )
    rows = read_panel(owner, X, y, reset=False)[0]
    _check_ids(rows, known, "history")
    _check_outputs(rows, n_outputs)
    for id, each in rows.items():
        with about(id):
            known[id].times.check_followed_by(each.index, name="history", what=_HISTORY)
    return {id: each.followed_by(rows[id]) if id in rows else each for id, each in known.items()}


def _check_number(owner: Any, n: int, has_exogenous: bool) -> None:
    if has_exogenous:
        raise ValueError(
            f"This Forecaster was fitted with {owner.n_features_in_} exogenous columns. Pass them for the time "
            f"steps to forecast, as X of shape ({n}, {owner.n_features_in_})."
        )
    if n < 1:
        raise ValueError(f"The number of time steps to forecast must be >= 1. Got {n} instead.")


def _check_ids(rows: Panel, known: Mapping[Any, Known], name: str) -> None:
    unknown = [id for id in rows if id not in known]
    if not unknown:
        return
    if None in known:
        raise ValueError(
            f"{name} has an index with ids, but this Forecaster was fitted to a single series without ids."
        )
    if unknown == [None]:
        raise ValueError(
            f"This Forecaster was fitted to a panel of {len(known)} series: pass {name} with the same levels of ids and times "
            "in its index."
        )
    close = did_you_mean(unknown[0], [id for id in known if isinstance(id, str)]) if isinstance(unknown[0], str) else ""
    raise ValueError(f"{name} has the series {unknown[0]!r}, which this Forecaster was not fitted to.{close}")


def _check_outputs(rows: Panel, n_outputs: int) -> None:
    found = next(iter(rows.values())).series.shape[1]
    if found != n_outputs:
        raise ValueError(f"This Forecaster was fitted to {n_outputs} series. Got {found} instead: pass y as in fit.")
