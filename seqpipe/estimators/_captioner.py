"""`SequenceCaptioner`: a decoder from vectors to sequences of tokens."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from seqpipe.estimators._cells import recurrent_factory
from seqpipe.estimators._declared import Group, fitted, parameter
from seqpipe.estimators._input import read_X
from seqpipe.estimators._scaled_inputs import ScaledInputsMixin
from seqpipe.estimators._token_writer import TokenWriter
from seqpipe.networks import CaptionNetwork
from seqpipe.sequences import Sequences, Windows, as_sequences

__all__ = ["SequenceCaptioner"]


class SequenceCaptioner(ScaledInputsMixin, TokenWriter):
    """Generate texts from vectors, such as captions of images, with a recurrent decoder.

    X is an array of shape (n_samples, n_features), or (n_samples, …) with more axes, such as images of shape
    (n_samples, height, width), which are flattened.

    y may be either of:

    - a list, array or pandas Series of strings;
    - a list, object array or pandas Series of lists of strings or ints, with ``level="token"``.

    Texts may have any length, including 0. Generation stops at the end-of-sequence token.

    Notes
    -----
    The initial state of the decoder is computed from the vector by a layer of ``encoder_size`` rectified linear units
    and a linear map. Training and generation are those of `SequenceTranslator`, without attention.

    References
    ----------
    O. Vinyals, A. Toshev, S. Bengio and D. Erhan, 2015, Show and Tell: A Neural Image Caption Generator,
    arXiv:1411.4555.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceCaptioner
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = [("left" if a < 0 else "right") + (" down" if b < 0 else " up") for a, b in X]
    >>> captioner = SequenceCaptioner(hidden_size=16, max_epochs=40, random_state=0).fit(X, y)
    >>> captioner.predict([[-1.0, 1.0]])[0]
    'left up'
    """

    _network = CaptionNetwork

    encoder_size: int | None = parameter(
        default=128,
        constraint=[Interval(Integral, 1, None, closed="left"), None],
        type="int or None",
        description=(
            "Number of rectified linear units between the vector and the decoder; None uses a linear map only."
        ),
        group=Group.NETWORK,
    )
    embedding: int | str = parameter(
        default=32,
        constraint=[Interval(Integral, 1, None, closed="left"), StrOptions({"one_hot"})],
        type='int or "one_hot"',
        description='Size of the learned embedding of tokens, or "one_hot".',
        group=Group.NETWORK,
    )

    n_features_in_: int = fitted("int", "Number of features of X.")

    def _check_source(self, X: Any, *, reset: bool) -> Sequences | Windows:
        X = read_X(X)
        if np.ndim(X) > 2:
            X = np.asarray(X).reshape(len(X), -1)
        X = validate_data(self, X, reset=reset, ensure_all_finite=False)
        return self._as_inputs(as_sequences(X[:, None]), reset=reset)

    def _take_source(self, found: Any, kept: NDArray[np.int64]) -> Any:
        return found[kept]

    def _encode_source(self, found: Any, *, reset: bool) -> Any:
        return found

    def _source_sizes(self) -> dict[str, int]:
        return {"n_features": int(self.n_features_in_)}

    def _network_settings(self) -> dict[str, Any]:
        return {
            "decoder": recurrent_factory(self),
            "encoder_size": self.encoder_size,
            "embedding": self.embedding,
            "sampling": float(self.scheduled_sampling),
            "dropout": self.dropout,
            "dtype": getattr(torch, self.dtype),
        }
