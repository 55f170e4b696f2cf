"""Replacement of the values of one feature of sequences, at all of their time steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.sequences import Sequences, Windows, as_sequences, is_table, readable

__all__ = ["FeatureSeries"]


class FeatureSeries:
    """Sequences of any kind, of which the series of one feature can be replaced.

    Parameters
    ----------
    X : sequences
        Data in any form that estimators accept, other than a table.
    owner : str
        Name of the function, for error messages.

    Attributes
    ----------
    sequences : Sequences
        The data.
    names : list of str
        Names of the features, "x0", "x1", … if they have none.

    Raises
    ------
    InvalidSequencesError
        If X is a table, or invalid.
    """

    def __init__(self, X: Any, *, owner: str) -> None:
        X = readable(X)
        if is_table(X):
            raise InvalidSequencesError(
                f"X of seqpipe.inspection.{owner} must be sequences. Got a table instead, whose columns are the features "
                f"of sklearn.inspection.{owner}: use that one, or X[:, :, None] for sequences of one feature."
            )
        found = as_sequences(X)
        names = found.feature_names
        self.sequences = Sequences.from_padded(np.asarray(found)) if isinstance(found, Windows) else found
        self.names = [f"x{i}" for i in range(found.n_features)] if names is None else [*names]
        self._shape: tuple[int, ...] | None = X.shape if getattr(X, "ndim", 1) > 2 else None
        self._feature_names = names

    def index(self, feature: int | str) -> int:
        """Return the index of a feature given by index or name.

        Raises
        ------
        InvalidSequencesError
            If there is no such feature.
        """
        if isinstance(feature, str) and feature in self.names:
            return self.names.index(feature)
        if not isinstance(feature, str) and 0 <= feature < len(self.names):
            return int(feature)
        raise InvalidSequencesError(
            f"The feature must be one of {self.names}, or an index below {len(self.names)}. Got {feature!r} instead."
            f"{did_you_mean(feature, self.names)}"
        )

    def replaced(self, feature: int, values: NDArray[Any] | float) -> Any:
        """Return the data with other values of a feature: one number, or one per time step, shape (total_steps,).

        An array stays an array, since the first step of a pipeline may require one; other data becomes `Sequences`.
        """
        changed = self.sequences.values.copy()
        changed[:, feature] = values
        if self._shape is not None:
            return changed.reshape(self._shape)
        X = self.sequences
        return Sequences(
            changed, X.offsets, feature_names=self._feature_names, ids=X.ids, element_shape=X.element_shape
        )
