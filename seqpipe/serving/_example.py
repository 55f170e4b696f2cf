"""A request that a model answers, for its documentation; finding it also compiles the model's cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sklearn.pipeline import Pipeline

from seqpipe.serving._body import sent_data
from seqpipe.serving._form import COLUMN
from seqpipe.serving._model import ServedModel

__all__ = ["example_request"]

_STEPS, _MOST_FEATURES = 3, 100


def example_request(model: ServedModel) -> dict[str, Any] | None:
    """Return the body of a request that the model answers, or None if none of some simple ones is."""
    for body in _candidates(model):
        try:
            model.predict(sent_data(body))
        except (TypeError, ValueError):  # not what this model takes: the next one
            continue
        return body
    return None


def _candidates(model: ServedModel) -> Iterator[dict[str, Any]]:
    n_features = min(int(getattr(model.estimator, "n_features_in_", 1)), _MOST_FEATURES)
    step = [0.0] * n_features
    match model.form:
        case "sequences":
            yield _split([COLUMN], [[step] * _STEPS])
        case "array":
            yield {"instances": [[step] * _STEPS]}
            yield {"instances": [step]}
            yield {"instances": [0.0] * _STEPS}
        case "texts":
            for text in ("a", "the", "1", ["a"], [1]):
                yield _split([COLUMN], [text])
        case "table" | "panel":
            ids = _series_ids(model)
            yield _split(
                [str(name) for name, _ in model.columns],
                [0.0 if numeric else ids.pop(0) for _, numeric in model.columns],
            )


def _split(columns: list[str], row: list[Any]) -> dict[str, Any]:
    return {"dataframe_split": {"columns": columns, "data": [row]}}


def _series_ids(model: ServedModel) -> list[Any]:
    """Return the id of one series that a forecast of a panel was fitted to, a value per column of ids."""
    n_ids = sum(not numeric for _, numeric in model.columns)
    last = model.estimator[-1] if isinstance(model.estimator, Pipeline) else model.estimator
    known = next(iter(getattr(last, "last_times_", None) or ()), None)
    ids = [*known] if isinstance(known, tuple) else [known]
    return ids if len(ids) == n_ids else ["a"] * n_ids
