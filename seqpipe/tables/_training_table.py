"""What a model stores about its training table, to validate new tables against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Self, get_args

import pandas as pd

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.saved import AnyOf, Flag, Items, Number, Record, Schema, TextOf, Whole, optional
from seqpipe.tables._csv import CsvFormat
from seqpipe.tables._files import WrittenTable
from seqpipe.tables._last_times import LastTimes
from seqpipe.tables._missing import Missing
from seqpipe.tables._prepare import prepared
from seqpipe.tables._roles import Roles, named_columns
from seqpipe.tables._table import Table
from seqpipe.tables._typed import typed

__all__ = ["TrainingTable"]

#: Number of columns that a message names.
_SHOWN = 30


@dataclass(frozen=True)
class TrainingTable:
    """The properties of a training table that are needed for prediction.

    Attributes
    ----------
    roles : Roles
        Roles of the columns; the features by name and in order, in every layout of the table.
    sort, missing
        How unsorted rows and missing values are handled, as under ``data:`` in a recipe.
    columns : tuple of str
        All columns of the table; empty if the model did not store them.
    form : CsvFormat
        Format of CSV files, as specified in the recipe.
    texts : bool
        Whether the column of sequences holds texts.
    panel : bool
        Whether the model was trained on a panel: series by their ids.
    last_times : tuple of str or number
        The last times of a single training series; empty if the model was trained on sequences or a panel.
    zone : str or None
        Name of their time zone, which cannot be derived from their offsets.
    """

    roles: Roles = field(default_factory=Roles)
    sort: bool = False
    missing: Missing = "error"
    columns: tuple[str, ...] = ()
    form: CsvFormat = field(default_factory=CsvFormat)
    texts: bool = False
    panel: bool = False
    last_times: tuple[Any, ...] = ()
    zone: str | None = None
    _saved: ClassVar[dict[str, Schema]] = {
        **dict.fromkeys(("sort", "texts", "panel"), Flag()),
        "columns": Items(TextOf(most=10_000)),
        "form": Record({}, dict.fromkeys(("separator", "decimal", "encoding"), optional(TextOf(most=100)))),
        "last_times": Items(AnyOf((TextOf(most=100), Number(), Whole(-(2**63), 2**63))), most=1000),
        "missing": TextOf(among=get_args(Missing)),
        "roles": Record({}, Roles._saved),
        "zone": optional(TextOf(most=100)),
    }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Create from the result of `as_dict`.

        Raises
        ------
        ValueError
            If a field is unknown, missing, or of another type; the message names it.
        """
        Record({"roles": cls._saved["roles"]}, cls._saved).check(dict(kept), "the table")
        fields = {name: _as_tuple(value) for name, value in kept.items()}
        roles = Roles(**{name: _as_tuple(value) for name, value in fields.pop("roles").items()})
        return cls(roles=roles, form=CsvFormat(**fields.pop("form", {})), **fields)

    def as_dict(self) -> dict[str, Any]:
        """Return a dict of JSON types only."""
        kept = {name: _as_list(value) for name, value in asdict(self).items()}
        return {**kept, "roles": {name: _as_list(value) for name, value in kept["roles"].items()}}

    def trained_on(self, X: Any, roles: Roles, *, texts: bool) -> Self:
        """Return the record completed by the data that a model was fitted to: roles, kind and last times."""
        panel = isinstance(X, pd.DataFrame) and isinstance(X.index, pd.MultiIndex)
        last = LastTimes.of(X.index) if isinstance(X, pd.DataFrame) and not panel else LastTimes()
        return replace(self, roles=roles, texts=texts, panel=panel, last_times=last.times, zone=last.zone)

    @property
    def is_forecast(self) -> bool:
        """Whether the model was trained on a series or a panel, whose continuation it predicts."""
        return self.panel or bool(self.last_times)

    @property
    def tail(self) -> pd.DataFrame:
        """The end of the training series: no columns, its last times as index."""
        last = LastTimes(self.last_times, self.zone, self.roles.time or "step")
        return pd.DataFrame(index=last.index)

    def held(self, found: WrittenTable, *, source: str, with_target: bool = False) -> tuple[Table, list[str]]:
        """Convert a new table to the form of the training table; return it with notes for the user.

        The result has the columns that the model was trained with, in that order; its rows are sorted and its missing
        values filled as in training. With ``with_target``, it has the target columns as well.

        Raises
        ------
        InvalidSequencesError
            If a column is missing, or a row is invalid and the options do not allow to fix it; the message names the
            position.
        """
        roles = self.roles if with_target else replace(self.roles, target=())
        whole = Table.of(found.frame, roles, source)
        self._check_columns(whole)
        table = replace(whole, frame=whole.frame[self._taken(whole)])
        table, _ = typed(table, target="series", texts=self.texts, decimal=self.form.decimal, separator=found.separator)
        table = prepared(replace(table, roles=whole.roles), sort=self.sort, missing=self.missing)[0]
        return table, self._notes(whole)

    def _check_columns(self, table: Table) -> None:
        columns = [str(column) for column in table.frame.columns]
        missing = [column for _, column in named_columns(table.roles) if column not in columns]
        if missing:
            several = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise InvalidSequencesError(
                f"{table.source} has no column {missing[0]!r}{several}, which the model was trained with."
                f"{did_you_mean(missing[0], columns)} Its columns are {_listed(columns)}."
            )

    def _taken(self, table: Table) -> list[str]:
        """Return the columns with a role; every column for a model that did not store its features."""
        named = [column for _, column in named_columns(table.roles)]
        remembered = bool(self.columns or self.is_forecast or self.roles.sequence)
        return (
            named
            if named and remembered
            else [c for c in table.frame.columns if c in table.roles.target or c not in self.roles.target]
        )

    def _notes(self, table: Table) -> list[str]:
        extra = [str(column) for column in table.frame.columns if column not in self.columns] if self.columns else []
        return [f"columns that the model was not trained with are ignored: {_listed(extra)}"] if extra else []


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
