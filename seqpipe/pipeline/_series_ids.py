"""The ids of the series in a table for a model of a panel, beside those that the model was trained on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.tables import Roles, Table, count

__all__ = ["note_on_absent", "with_known_ids"]

#: Number of ids that a message names.
_SHOWN = 10


def with_known_ids(frame: pd.DataFrame, roles: Roles, known: Iterable[Any], *, source: str) -> pd.DataFrame:
    """Return a table with its ids as those of the training table, where they may be numbers rather than text.

    Raises
    ------
    InvalidSequencesError
        If an id is not among the ``known`` ones; the message names its first row.
    """
    if roles.id is None or roles.id not in frame.columns:  # for which TrainingTable.held has a message
        return frame
    by_text = {str(id): id for id in known}
    ids = frame[roles.id]
    unknown = (~ids.astype(str).isin(by_text) & ids.notna()).to_numpy()
    if unknown.any():
        table, row = Table.of(frame, roles, source), int(unknown.argmax())
        raise InvalidSequencesError(
            f"{table.place(row)}: the model was not trained on the series {ids.iloc[row]!r} of {roles.id!r}."
            f"{did_you_mean(str(ids.iloc[row]), by_text)} It knows {_listed(by_text)}. Remove the rows of other series, or "
            "run the recipe again to include them."
        )
    return frame.assign(**{roles.id: ids.astype(str).map(by_text).where(ids.notna())})


def note_on_absent(known: Iterable[Any], given: Iterable[Any]) -> list[str]:
    """Return a note on the known series that are not among the given ones, if there are any."""
    present = set(given)
    absent = [id for id in known if id not in present]
    if not absent:
        return []
    return [
        f"{count(len(absent), 'series', plural='')} without rows are forecast from the end of the training data: {_listed(absent)}"
    ]


def _listed(ids: Iterable[Any]) -> str:
    names = [str(id) for id in ids]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
