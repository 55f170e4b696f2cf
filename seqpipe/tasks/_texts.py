"""Columns of texts in tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import Roles, row_place

__all__ = ["source_texts", "texts_of"]


def source_texts(frame: pd.DataFrame, roles: Roles, *, name: str) -> NDArray[Any]:
    """Return the texts in the sequence column, one per row, an object array of shape (n_rows,).

    Raises
    ------
    InvalidSequencesError
        If no column has that role, another role conflicts with it, or a row has no text; the message names the
        position.
    """
    if roles.sequence is None:
        raise InvalidSequencesError(
            f"{name!r} needs a sequence column of texts: name one of {', '.join(map(str, frame.columns))}."
        )
    for role, other in (("time", roles.time), ("features", roles.features)):
        if other is not None:
            raise InvalidSequencesError(
                f"The column {roles.sequence!r} of {name!r} holds whole texts, so that {other!r} cannot be {role}: "
                "remove that role."
            )
    return texts_of(frame, roles.sequence, name=name)


def texts_of(frame: pd.DataFrame, column: str, *, name: str) -> NDArray[Any]:
    """Return a column of strings, or of lists of tokens, as an object array of shape (n_rows,).

    Raises
    ------
    InvalidSequencesError
        If the table is empty, or a row has no text; the message names the position.
    """
    if frame.empty:
        raise InvalidSequencesError(f"{name!r} has no rows.")
    texts = np.empty(len(frame), dtype=object)
    for row, text in enumerate(frame[column].tolist()):
        if not isinstance(text, str | list | np.ndarray):
            raise InvalidSequencesError(
                f"{name!r}, {row_place(frame, row)}: the column {column!r} holds {_described(text)}: {_remedy(text)}."
            )
        texts[row] = text
    return texts


def _described(value: Any) -> str:
    return "nothing" if pd.isna(value) else f"{value!r}, which is not text"


def _remedy(value: Any) -> str:
    return "fill it in, or drop the row" if pd.isna(value) else "write it as text"
