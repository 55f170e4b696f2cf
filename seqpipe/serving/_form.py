"""The forms of input that a served model may have, and of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

__all__ = ["COLUMN", "Form", "form_of", "plain_output", "takes_texts", "with_ids"]

#: Column of ragged sequences, each a list of time steps.
COLUMN = "sequence"

Form = Literal["sequences", "array", "table", "panel", "texts"]


def takes_texts(estimator: Any) -> bool:
    """Return whether the input of an estimator is texts."""
    first = estimator[0] if isinstance(estimator, Pipeline) else estimator
    return bool(get_tags(first).input_tags.string)


def form_of(estimator: Any) -> tuple[Form, list[tuple[Any, bool]]]:
    """Return form and columns of the input of an estimator that was saved without a description of it."""
    if takes_texts(estimator):
        return "texts", []
    names = getattr(estimator, "feature_names_in_", None)
    return ("array", []) if names is None else ("table", [(name, True) for name in names])


def plain_output(predicted: Any) -> Any:
    """Return predictions, those of pandas as an array: an index and names have no place in a response."""
    return predicted.to_numpy() if isinstance(predicted, pd.Series | pd.DataFrame) else predicted


def with_ids(table: pd.DataFrame, columns: Sequence[Sequence[Any]], estimator: Any) -> pd.DataFrame:
    """Return a table of time steps with its ids as index, and the number of each step of an id from 0.

    The steps have no times, which would have to follow the training data.
    """
    ids = [name for name, numeric in columns if not numeric]
    steps = table.groupby(ids, sort=False).cumcount().rename(None)
    values = table.drop(columns=ids).set_axis(pd.MultiIndex.from_arrays([*(table[id] for id in ids), steps]), axis=0)
    return values if hasattr(estimator, "feature_names_in_") else values.set_axis(range(values.shape[1]), axis=1)
