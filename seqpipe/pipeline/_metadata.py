"""What a logged model keeps of its recipe, so that prediction needs nothing but the model and new data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from seqpipe.exceptions import TrackingError
from seqpipe.pipeline._missing import Missing
from seqpipe.sequences import Sequences
from seqpipe.tasks import Roles
from seqpipe.transformers import is_texts

if TYPE_CHECKING:
    from seqpipe.pipeline._job import Job

__all__ = ["ModelMetadata"]

#: The column of sequences in tables for models that were trained on arrays.
_SEQUENCE = "sequence"

_KEY = "seqpipe"
#: Enough of a series' times to tell its frequency.
_TAIL = 10


@dataclass(frozen=True)
class ModelMetadata:
    """The task of a model, and what it takes a table's columns for.

    Attributes
    ----------
    task : str
        Name of the task.
    roles : Roles
        What the columns are.
    sort, missing
        How rows are mended, as under ``data:`` in the recipe.
    last_times : tuple of str or number
        The last times of the series that was trained on; empty where sequences were.
    """

    task: str
    roles: Roles
    sort: bool
    missing: Missing
    last_times: tuple[Any, ...] = ()

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return what the model of a job has to keep."""
        recipe = job.loaded.recipe
        roles, X = job.train.roles, job.train.X
        if roles.features is None and isinstance(X, Sequences) and X.feature_names is not None:
            roles = replace(roles, features=X.feature_names)  # a new table may have more columns
        elif roles == Roles() and (getattr(X, "ndim", 1) > 2 or is_texts(X)):
            roles = Roles(sequence=_SEQUENCE)  # data that never was a table
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(0)
        return cls(recipe.task.name, roles, recipe.data.sort, recipe.data.missing, _plain(index[-_TAIL:]))

    @classmethod
    def from_dict(cls, metadata: Mapping[str, Any] | None, *, model: str) -> Self:
        """Take what `as_dict` gave out of a model's metadata.

        Raises
        ------
        TrackingError
            If it is not there: no recipe made the model.
        """
        try:
            kept = {name: _as_tuple(value) for name, value in (metadata or {})[_KEY].items()}
            roles = Roles(**{name: _as_tuple(value) for name, value in kept.pop("roles").items()})
            return cls(roles=roles, **kept)
        except (AttributeError, KeyError, TypeError) as error:
            raise TrackingError(
                f"The model {model!r} does not say what its columns are: it was not made by a recipe. "
                "Load it with mlflow.pyfunc.load_model and call predict() on sequences."
            ) from error

    def as_dict(self) -> dict[str, Any]:
        """Return JSON's types only, under a key that leaves room for others."""
        kept = {name: _as_list(value) for name, value in asdict(self).items()}
        return {_KEY: {**kept, "roles": {name: _as_list(value) for name, value in kept["roles"].items()}}}

    @property
    def tail(self) -> pd.DataFrame:
        """The end of the series that was trained on: no columns, its last times as index."""
        dates = any(isinstance(time, str) for time in self.last_times)
        index = pd.DatetimeIndex(self.last_times) if dates else pd.Index(self.last_times)
        return pd.DataFrame(index=index.rename(self.roles.time or "step"))


def _plain(index: pd.Index[Any]) -> tuple[Any, ...]:
    if isinstance(index, pd.DatetimeIndex):
        return tuple(time.isoformat() for time in index)
    return tuple(index.tolist())


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
