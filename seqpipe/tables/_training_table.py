"""What a model remembers of the table it was trained on, so that a new one can be held to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import pandas as pd

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.tables._missing import Missing
from seqpipe.tables._prepare import prepared
from seqpipe.tables._roles import Roles
from seqpipe.tables._table import Table
from seqpipe.tables._times import read_times

__all__ = ["TrainingTable"]

#: Enough of a series' times to tell its frequency.
_TAIL = 10


@dataclass(frozen=True)
class TrainingTable:
    """A table that a model was trained on, as far as prediction needs it.

    Attributes
    ----------
    roles : Roles
        What the columns are.
    sort, missing
        How rows are mended, as under ``data:`` in a recipe.
    last_times : tuple of str or number
        The last times of the series that was trained on; empty where sequences were.
    zone : str or None
        The name of their zone, which their offsets do not tell.
    """

    roles: Roles
    sort: bool
    missing: Missing
    last_times: tuple[Any, ...] = ()
    zone: str | None = None

    @classmethod
    def of(cls, X: Any, roles: Roles, *, sort: bool, missing: Missing) -> Self:
        """Return what to remember of training data: its roles, and its last times where it is one series."""
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(0)
        return cls(roles, sort, missing, _plain(index[-_TAIL:]), _zone(index))

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Take what `as_dict` gave; raises a KeyError, TypeError or AttributeError where it is something else."""
        fields = {name: _as_tuple(value) for name, value in kept.items()}
        roles = Roles(**{name: _as_tuple(value) for name, value in fields.pop("roles").items()})
        return cls(roles=roles, **fields)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON's types only."""
        kept = {name: _as_list(value) for name, value in asdict(self).items()}
        return {**kept, "roles": {name: _as_list(value) for name, value in kept["roles"].items()}}

    @property
    def tail(self) -> pd.DataFrame:
        """The end of the series that was trained on: no columns, its last times as index."""
        times = pd.Series(list(self.last_times), name=self.roles.time or "step")
        if any(isinstance(time, str) for time in self.last_times):
            times = read_times(times, "last time {}".format)
        if self.zone is not None:
            times = times.dt.tz_convert(self.zone)
        return pd.DataFrame(index=pd.Index(times))

    def held(self, frame: pd.DataFrame, *, source: str) -> Table:
        """Return a new table brought into the form of the training table: checked, in order, without empty cells.

        Raises
        ------
        InvalidSequencesError
            If a column is missing, or a row is unfit and the options do not mend it; names the place.
        """
        table = _without_targets(Table.of(frame, self.roles, source))
        _check_columns(table)
        return prepared(table, sort=self.sort, missing=self.missing)[0]


def _without_targets(table: Table) -> Table:
    """Forget the targets, so that empty ones are as good as none."""
    kept = [column for column in table.frame.columns if column not in table.roles.target]
    return Table(table.frame[kept], replace(table.roles, target=()), table.source)


def _check_columns(table: Table) -> None:
    roles, columns = table.roles, [str(column) for column in table.frame.columns]
    for column in (roles.id, roles.time, roles.sequence, *(roles.features or ())):
        if column is not None and column not in columns:
            raise InvalidSequencesError(
                f"{table.source} has no column {column!r}, which the model was trained with."
                f"{did_you_mean(column, columns)} Its columns are {', '.join(columns)}."
            )


def _plain(index: pd.Index[Any]) -> tuple[Any, ...]:
    if isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex):
        return tuple(time.isoformat() for time in index)
    return tuple(index.tolist())


def _zone(index: pd.Index[Any]) -> str | None:
    zone = getattr(index, "tz", None)
    return getattr(zone, "key", None) or getattr(zone, "zone", None)  # of zoneinfo and of pytz


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
