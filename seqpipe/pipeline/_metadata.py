"""Metadata of a logged model, so that prediction requires only the model and new data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from seqpipe.exceptions import TrackingError
from seqpipe.saved import TextOf
from seqpipe.tables import Roles, TrainingTable
from seqpipe.transformers import is_texts

if TYPE_CHECKING:
    from seqpipe.pipeline._job import Job

__all__ = ["ModelMetadata"]

#: The column of sequences in tables for models that were trained on arrays.
_SEQUENCE = "sequence"

_KEY = "seqpipe"


@dataclass(frozen=True)
class ModelMetadata:
    """The task of a model, and the properties of its training table.

    Attributes
    ----------
    task : str
        Name of the task.
    table : TrainingTable
        Properties that a new table must have.
    """

    task: str
    table: TrainingTable

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the metadata of the model of a job."""
        roles, X = job.shipped.roles, job.shipped.X
        texts = is_texts(X)
        if roles == Roles() and (texts or getattr(X, "ndim", 1) > 2):
            roles = Roles(sequence=_SEQUENCE)  # data that was not read from a table
        return cls(job.loaded.recipe.task.name, job.table.trained_on(X, roles, texts=texts))

    @classmethod
    def from_dict(cls, metadata: Mapping[str, Any] | None, *, model: str) -> Self:
        """Restore from the metadata of a model, as created by `as_dict`.

        Raises
        ------
        TrackingError
            If it is missing, as the model was not created by a recipe.
        """
        try:
            kept = dict((metadata or {})[_KEY])
            task = kept.pop("task")
        except (KeyError, TypeError, ValueError) as error:
            raise TrackingError(
                f"The model {model!r} has no metadata about its columns: it was not created by a recipe. "
                "Load it with seqpipe.tracking.load_model and call predict() on sequences."
            ) from error
        try:
            TextOf(most=200).check(task, "the task")
            return cls(task, TrainingTable.from_dict(kept))
        except ValueError as error:
            raise TrackingError(
                f"The metadata of the model {model!r} is damaged: {error} Log the model again, or load it with "
                "seqpipe.tracking.load_model and call predict() on sequences."
            ) from error

    def as_dict(self) -> dict[str, Any]:
        """Return a dict of JSON types only, under a key that is specific to seqpipe."""
        return {_KEY: {"task": self.task, **self.table.as_dict()}}
