"""`SequenceColumnTransformer`: other transformers for other features of sequences."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.sequences import Sequences, Windows
from seqpipe.transformers._composition import Part, SequenceComposition
from seqpipe.transformers._parameters import check_choice

__all__ = ["SequenceColumnTransformer"]


class SequenceColumnTransformer(SequenceComposition):
    """Apply transformers to different features of sequences, and join the results per time step.

    As scikit-learn's `ColumnTransformer` for tables. Transformers of sequences, such as `SequenceScaler`, get the
    sequences with the selected features; any other transformer of scikit-learn, such as `OneHotEncoder`, gets the time
    steps of all sequences as the rows of one table, and no y. Sequences are returned as the same kind: an
    array of three dimensions as an array, `Windows` as `Windows`, lists as `Sequences`.

    Parameters
    ----------
    transformers : list of (str, transformer, features)
        Names, transformers, and the features that each is applied to: an index or a name, or a list of these. The
        transformer "passthrough" keeps its features as they are, "drop" leaves them out.
    remainder : {"drop", "passthrough"}, default="drop"
        What becomes of features that are not listed; with "passthrough" they come last.

    Attributes
    ----------
    transformers_ : list of (str, transformer, array of int)
        Names, fitted transformers, and the indices of the features that they are applied to.
    input_kind_ : {"sequences"}
        Kind of input seen during fit.
    n_features_in_ : int
        Number of features per time step.
    feature_names_in_ : array of str, shape (n_features,)
        Names of the features; defined only if the input has feature names.

    See Also
    --------
    SequenceUnion : Apply several transformers to all features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from seqpipe import SequenceColumnTransformer, SequenceScaler
    >>> X = [np.array([[0.5, 0], [0.7, 1], [0.2, 2]]), np.array([[0.1, 1], [0.3, 1]])]
    >>> columns = [("level", SequenceScaler(), 0), ("state", OneHotEncoder(), [1])]
    >>> SequenceColumnTransformer(columns).fit_transform(X)
    Sequences(n_samples=2, n_timesteps=2..3, n_features=4, dtype=float64)
    """

    def __init__(
        self, transformers: list[tuple[str, Any, Any]], *, remainder: Literal["drop", "passthrough"] = "drop"
    ) -> None:
        self.transformers = transformers
        self.remainder = remainder

    def _given(self, X: Sequences | Windows) -> Iterator[Part]:
        check_choice("SequenceColumnTransformer", "remainder", self.remainder, ("drop", "passthrough"))
        names = None if X.feature_names is None else [*X.feature_names]
        parts = [
            (name, transformer, _indices(given, names, X.n_features)) for name, transformer, given in self.transformers
        ]
        yield from parts
        listed = {int(index) for _, _, features in parts for index in features}
        left = np.array([index for index in range(X.n_features) if index not in listed], dtype=np.int64)
        if self.remainder == "passthrough" and len(left):
            yield "remainder", "passthrough", left


def _indices(features: Any, names: list[str] | None, n_features: int) -> NDArray[np.int64]:
    """Return the indices of features given by index or name."""
    listed = [features] if isinstance(features, str | Integral) else list(features)
    return np.array([_index(feature, names, n_features) for feature in listed], dtype=np.int64)


def _index(feature: Any, names: list[str] | None, n_features: int) -> int:
    if isinstance(feature, str):
        if names is None or feature not in names:
            known = "none of them has a name" if names is None else f"they are {names}.{did_you_mean(feature, names)}"
            raise InvalidSequencesError(
                f"SequenceColumnTransformer has no feature {feature!r} in X: {known}. Give one of these, or an index."
            )
        return names.index(feature)
    if not isinstance(feature, Integral) or not -n_features <= int(feature) < n_features:
        raise InvalidSequencesError(
            f"A feature of SequenceColumnTransformer must be a name, or an index below {n_features}, the number of "
            f"features of X. Got {feature!r} instead."
        )
    return int(feature) % n_features
