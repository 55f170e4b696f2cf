"""Padding of sequences of unequal length to one array."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import CallbackSupportMixin
from seqpipe.saved import LONGEST, Schema, Whole
from seqpipe.sequences import Sequences, Windows
from seqpipe.transformers._input import SequenceInput
from seqpipe.transformers._no_data_frame import NoDataFrameMixin
from seqpipe.transformers._parameters import check_choice, check_integer, check_number

__all__ = ["PadSequences"]

_SIDES = ("post", "pre")


class PadSequences(
    NoDataFrameMixin,
    CallbackSupportMixin,  # type: ignore[call-arg]
    SequenceInput,
    OneToOneFeatureMixin,
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,
):
    """Pad or truncate all sequences to the same length: an array of shape (n_samples, length, n_features).

    The estimators of seqpipe accept ragged sequences and do not need padding; other estimators do. The output is
    three-dimensional, so ``set_output`` is not available.

    Parameters
    ----------
    length : int or None, default=None
        Length of the output, in time steps; None for the length of the longest sequence seen during ``fit``.
    pad_value : float, default=0.0
        Value of the padding.
    padding : {"post", "pre"}, default="post"
        Whether to pad after the sequence ("post") or before it ("pre").
    truncating : {"post", "pre"}, default="post"
        Whether to remove the last ("post") or the first ("pre") steps of sequences that are too long.

    Attributes
    ----------
    length_ : int
        Length of the output, in time steps.
    input_kind_ : {"table", "sequences"}
        Kind of input seen during fit.
    n_features_in_ : int
        Number of features per time step, or of columns of a table of shape (n_samples, n_timesteps).
    feature_names_in_ : array of str, shape (n_features,)
        Names of the features; defined only if the input has feature names.

    Examples
    --------
    >>> from seqpipe.transformers import PadSequences
    >>> PadSequences(padding="pre").fit_transform([[1.0], [2.0, 3.0]])[:, :, 0]
    array([[0., 1.],
           [2., 3.]])
    """

    _saved: ClassVar[dict[str, Schema]] = {"length_": Whole(0, LONGEST)}

    def __init__(
        self,
        length: int | None = None,
        *,
        pad_value: float = 0.0,
        padding: Literal["post", "pre"] = "post",
        truncating: Literal["post", "pre"] = "post",
    ) -> None:
        self.length = length
        self.pad_value = pad_value
        self.padding = padding
        self.truncating = truncating

    def fit(self, X: Any, y: Any = None) -> PadSequences:
        """Determine the length from sequences X of any kind; y is ignored."""
        self._check_parameters()
        sequences = _ragged(self._check_input(X, reset=True))
        self.length_ = int(sequences.lengths.max()) if self.length is None else int(self.length)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Return an array of shape ``(n_samples, length_, n_features)``, float32 or float64 like X.

        If steps are tensors, its shape is ``(n_samples, length_, *element_shape)``.
        """
        check_is_fitted(self)
        sequences = _ragged(self._check_input(X, reset=False))
        lengths = np.minimum(sequences.lengths, self.length_)
        places = np.arange(self.length_)
        if self.padding == "post":
            valid = places < lengths[:, None]
        else:
            valid = places >= self.length_ - lengths[:, None]
        padded = np.full((len(sequences), self.length_, sequences.n_features), self.pad_value, dtype=sequences.dtype)
        padded[valid] = self._kept(sequences, lengths)
        return padded.reshape(*padded.shape[:2], *(sequences.element_shape or padded.shape[2:]))

    def _kept(self, sequences: Sequences, lengths: NDArray[np.int64]) -> NDArray[Any]:
        """Return the remaining steps of all sequences, concatenated."""
        if (lengths == sequences.lengths).all():
            return sequences.values
        begins = sequences.offsets[:-1] if self.truncating == "post" else sequences.offsets[1:] - lengths
        ends = np.cumsum(lengths)
        rows = np.repeat(begins - (ends - lengths), lengths) + np.arange(ends[-1])
        return np.asarray(sequences.values[rows])

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Return the names of the features; for a table, whose columns are time steps, the names of the steps.

        Padding steps are named "pad0", "pad1", ….
        """
        names: NDArray[np.object_] = super().get_feature_names_out(input_features)
        if self.input_kind_ == "sequences":
            return names
        missing = [f"pad{i}" for i in range(self.length_ - len(names))]
        kept = names[: self.length_] if self.truncating == "post" else names[max(0, len(names) - self.length_) :]
        both = [*kept, *missing] if self.padding == "post" else [*missing, *kept]
        return np.array(both, dtype=object)

    def _check_parameters(self) -> None:
        if self.length is not None:
            check_integer("PadSequences", "length", self.length, minimum=1)
        check_number("PadSequences", "pad_value", self.pad_value)
        check_choice("PadSequences", "padding", self.padding, _SIDES)
        check_choice("PadSequences", "truncating", self.truncating, _SIDES)


def _ragged(X: NDArray[Any] | Sequences | Windows) -> Sequences:
    if isinstance(X, Sequences):
        return X
    return Sequences.from_padded(np.asarray(X) if isinstance(X, Windows) else X[:, :, None])
