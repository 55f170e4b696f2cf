"""Captioning: generating a text for a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from seqpipe.estimators import SequenceCaptioner
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import Roles, number_matrix, numeric_features, row_place
from seqpipe.tasks._task import TaskData
from seqpipe.tasks._writing import WritingTask

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["CaptionTask"]


class CaptionTask(WritingTask):
    """Predict one text per vector with a `SequenceCaptioner`: the features of a row are the vector."""

    _name = "caption"

    def _new_estimator(self) -> BaseEstimator:
        return SequenceCaptioner()

    def _inputs(self, frame: pd.DataFrame, roles: Roles, *, name: str) -> NDArray[Any]:
        for role, column in (("sequence", roles.sequence), ("time", roles.time)):
            if column is not None:
                raise InvalidSequencesError(
                    f"A row of {name!r} is one vector, so that {column!r} cannot be {role}: remove that role."
                )
        if frame.empty:
            raise InvalidSequencesError(f"{name!r} has no rows.")
        columns = numeric_features(frame, roles, name=name)
        values = number_matrix(frame, columns)
        unfit = np.argwhere(~np.isfinite(values))
        if len(unfit):
            row, place = (int(i) for i in unfit[0])
            raise InvalidSequencesError(
                f"{name!r}, {row_place(frame, row)}, column {columns[place]!r}: the value is missing or infinite "
                f"({len(unfit)} such in the table). Fill it in, or drop the row."
            )
        return values

    def _guesses(self, train: TaskData, test: TaskData) -> dict[str, Any]:
        known, queries = (np.reshape(data.X, (len(data.X), -1)) for data in (train, test))
        scaler = StandardScaler().fit(known)
        nearest = NearestNeighbors(n_neighbors=1).fit(scaler.transform(known))
        found = nearest.kneighbors(scaler.transform(queries), return_distance=False)[:, 0]
        return {"text of the nearest sample": train.y[found]}
