"""The rows that a forecaster is given: one series, or those of a panel by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.estimators._input import check_rows, check_series, check_targets, read_X
from seqpipe.estimators.forecasting._form import Form
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import familiar
from seqpipe.tables import check_complete, check_like_steps, index_of, rows_by_series, times_of

__all__ = ["Observed", "Panel", "about", "read_future", "read_panel"]

_OWNER = "Forecaster"


@dataclass(frozen=True)
class Observed:
    """The rows of one series.

    Attributes
    ----------
    series : array of shape (n_timesteps, n_outputs)
        The values to forecast.
    exogenous : array of shape (n_timesteps, n_features)
        Variables that are known ahead; n_features may be 0.
    index : Index or None
        The index of pandas data.
    """

    series: NDArray[np.float64]
    exogenous: NDArray[np.float64]
    index: pd.Index[Any] | None = None


#: Series by id; a single one has the id None.
Panel = dict[Any, Observed]


def read_panel(estimator: Any, X: Any, y: Any, *, reset: bool) -> tuple[Panel, Form]:
    """Validate series, and exogenous variables if y is given; return them by id, and their form.

    Raises
    ------
    ValueError
        If the data is invalid, rows are not in order of time, dates are missing, or the time steps of series differ;
        the message names the place.
    """
    X, y = read_X(X), None if y is None else familiar(y, "y")
    groups = _groups(X, y)
    for id, part, y_part in zip(groups, _parts(X, groups), _parts(y, groups)):
        with about(id):
            _check_order(part, y_part)
    flat = y is None and np.asarray(X).ndim == 1
    values = check_rows(estimator, _column(X) if flat else X, reset=reset).astype(np.float64)
    index = _index_of(X, y)
    if reset and len(groups) > 1:
        _check_like_steps(index, groups)
    if y is None:
        form = Form.of(X, () if flat else values.shape[1:])
        return {id: _observed(values[rows], None, index, rows) for id, rows in groups.items()}, form
    targets = check_targets(estimator, y, len(values))
    series, form = targets.reshape(len(targets), -1), Form.of(y, targets.shape[1:])
    return {id: _observed(series[rows], values[rows], index, rows) for id, rows in groups.items()}, form


def read_future(estimator: Any, X: Any, *, has_exogenous: bool) -> Panel:
    """Validate the rows to forecast: exogenous variables, or rows whose number counts.

    Raises
    ------
    ValueError
        If the data is invalid or rows are not in order of time.
    """
    X = read_X(X)
    groups = _groups(X, None)
    for id, part in zip(groups, _parts(X, groups)):
        with about(id):
            check_series(part, owner=_OWNER)
    counts_only = not has_exogenous and isinstance(X, pd.DataFrame) and not X.shape[1]
    values = np.empty((len(X), 0)) if counts_only else _values_ahead(estimator, X, has_exogenous)
    index = _index_of(X, None)
    return {id: _observed(values[rows, :0], values[rows], index, rows) for id, rows in groups.items()}


def _values_ahead(estimator: Any, X: Any, has_exogenous: bool) -> NDArray[np.float64]:
    """Return the exogenous variables of the rows to forecast, of which there may be none."""
    flat = not has_exogenous and np.asarray(X).ndim == 1
    values = check_rows(estimator, _column(X) if flat else X, reset=False).astype(np.float64)
    return values if has_exogenous else values[:, :0]


@contextmanager
def about(id: Any) -> Iterator[None]:
    """Name the series of a panel in errors."""
    try:
        yield
    except InvalidSequencesError as error:
        if id is None:
            raise
        raise InvalidSequencesError(f"Series {id!r}: {error}") from error


def _groups(X: Any, y: Any) -> dict[Any, Any]:
    """Return the rows of each series."""
    indices = [data.index for data in (X, y) if isinstance(getattr(data, "index", None), pd.MultiIndex)]
    if not indices:
        return {None: slice(None)}
    if len(indices) == 2 and not indices[0].equals(indices[1]):
        raise InvalidSequencesError(
            "X and y have different ids or times: align them, for example with y.reindex(X.index)."
        )
    return rows_by_series(indices[0])


def _parts(data: Any, groups: dict[Any, Any]) -> Iterator[Any]:
    """Yield the rows of each series, whose index has no ids; None if there is no data."""
    times = index_of(data) if isinstance(getattr(data, "index", None), pd.MultiIndex) else None
    for rows in groups.values():
        if times is not None:
            yield data.iloc[rows].set_axis(times[rows], axis=0)
        else:
            yield data if data is None or isinstance(rows, slice) else data[rows]


def _check_order(X: Any, y: Any) -> None:
    check_series(X, y, owner=_OWNER)
    check_complete(index_of(X), name="X")
    if y is not None:
        check_complete(index_of(y), name="y")


def _check_like_steps(index: pd.Index[Any] | None, groups: dict[Any, Any]) -> None:
    """Raise if series have times and these have unlike steps."""
    times = times_of(index, name="X")
    if times is not None:
        check_like_steps({id: pd.Index(times.iloc[rows]) for id, rows in groups.items()}, name="X")


def _index_of(X: Any, y: Any) -> pd.Index[Any] | None:
    """Return the index of the series, or of X if the series has none."""
    found = index_of(y)
    return index_of(X) if found is None else found


def _observed(series: NDArray[np.float64], exogenous: NDArray[np.float64] | None, index: Any, rows: Any) -> Observed:
    exogenous = np.empty((len(series), 0)) if exogenous is None else exogenous
    return Observed(series, exogenous, None if index is None else index[rows])


def _column(X: Any) -> NDArray[Any]:
    return np.asarray(X)[:, None]
