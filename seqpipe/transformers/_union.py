"""`SequenceUnion`: several transformers of the same sequences, with their features joined per time step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.pipeline import make_union

from seqpipe.sequences import Sequences, Windows
from seqpipe.transformers._composition import Part, SequenceComposition

__all__ = ["SequenceUnion", "sequence_union"]


class SequenceUnion(SequenceComposition):
    """Apply several transformers to the same sequences, and join the resulting features per time step.

    As scikit-learn's `FeatureUnion` for tables. Transformers of sequences, such as `SequenceScaler`, get the sequences;
    any other transformer of scikit-learn, such as `PCA` or `FunctionTransformer`, gets the time steps of all sequences
    as the rows of one table, and no y. Sequences are returned as the same kind: an array of three dimensions as
    an array, `Windows` as `Windows`, lists as `Sequences`.

    Parameters
    ----------
    transformers : list of (str, transformer)
        Names and transformers; "passthrough" keeps the features as they are, "drop" leaves a transformer out.

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
    sequence_union : Create one without naming the transformers.
    SequenceColumnTransformer : Apply transformers to different features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from seqpipe import SequenceScaler, SequenceUnion
    >>> X = [np.arange(6.0).reshape(3, 2), np.arange(4.0).reshape(2, 2)]
    >>> SequenceUnion([("scaled", SequenceScaler()), ("main", PCA(1))]).fit_transform(X)
    Sequences(n_samples=2, n_timesteps=2..3, n_features=3, dtype=float64)
    """

    def __init__(self, transformers: list[tuple[str, Any]]) -> None:
        self.transformers = transformers

    def _given(self, X: Sequences | Windows) -> Iterator[Part]:
        for name, transformer in self.transformers:
            yield name, transformer, np.arange(X.n_features)


def sequence_union(*transformers: Any) -> SequenceUnion:
    """Return the `SequenceUnion` of transformers, named after their classes in lower case.

    Parameters
    ----------
    *transformers : transformer or "passthrough"
        Transformers of sequences, or of tables of time steps.

    Returns
    -------
    SequenceUnion

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from seqpipe import sequence_union
    >>> sequence_union("passthrough", FunctionTransformer(np.square)).fit_transform([[1.0], [2.0, 3.0]]).values
    array([[1., 1.],
           [2., 4.],
           [3., 9.]])
    """
    return SequenceUnion(make_union(*transformers).transformer_list)
