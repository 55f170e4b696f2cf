"""Input validation of transformers, following scikit-learn's conventions."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import validate_data

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.saved import Schema, TextOf
from seqpipe.sequences import Sequences, Windows, as_sequences, check_finite, is_table, readable

__all__ = ["SequenceInput"]


class SequenceInput:
    """Mixin for transformers that accept sequences of any kind, and tables of shape (n_samples, n_timesteps).

    Attributes
    ----------
    input_kind_ : {"table", "sequences"}
        Kind of input seen during fit.
    n_features_in_ : int
        Number of columns of the table, or of features per time step.
    feature_names_in_ : array of str, shape (n_features,)
        Names of the features; defined only if the input has feature names.
    """

    _saved: ClassVar[dict[str, Schema]] = {"input_kind_": TextOf(among=("table", "sequences"))}
    input_kind_: Literal["table", "sequences"]
    n_features_in_: int

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_input(self, X: Any, *, reset: bool) -> NDArray[Any] | Sequences | Windows:
        """Return X as a float table or sequences; ``reset`` stores its form, otherwise the form must match."""
        X = readable(X)
        table = is_table(X)
        if reset:
            self.input_kind_ = "table" if table else "sequences"
        elif table and self.input_kind_ == "sequences":
            X, table = self._table_as_sequences(X), False
        elif not table and self.input_kind_ == "table":
            raise InvalidSequencesError(
                f"{type(self).__name__} was fitted to a table of shape (n_samples, n_timesteps) and got "
                "sequences: use the same form for both; array[:, :, None] converts a table to sequences "
                "of one feature."
            )
        if table:
            found = validate_data(self, X, dtype=[np.float64, np.float32], reset=reset, ensure_all_finite=False)
            check_finite(Sequences.from_padded(found[:, :, None]))
            return np.asarray(found)
        sequences = as_sequences(X)
        validate_data(self, _header(sequences), reset=reset, skip_check_array=True)
        return sequences

    def _table_as_sequences(self, X: Any) -> NDArray[Any]:
        """Return sequences of one feature that look like a table because they have equal lengths."""
        array = check_array(X, dtype=[np.float64, np.float32], ensure_all_finite=False)
        if self.n_features_in_ != 1:
            raise InvalidSequencesError(
                f"{type(self).__name__} was fitted to sequences of {self.n_features_in_} features and got a "
                f"table of shape {array.shape}: give an array of shape (n_samples, n_timesteps, "
                f"{self.n_features_in_})."
            )
        return np.asarray(array[:, :, None])


def _header(X: Sequences | Windows) -> pd.DataFrame | NDArray[Any]:
    """Return an empty table with the features of X, for scikit-learn's checks of their number and names."""
    if X.feature_names is None:
        return np.empty((0, X.n_features))
    return pd.DataFrame(columns=list(X.feature_names))
