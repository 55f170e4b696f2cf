"""Conversion of texts to sequences of token indices."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import CallbackSupportMixin
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.saved import Instance, Schema
from seqpipe.sequences import Sequences, as_sequences
from seqpipe.transformers._no_data_frame import NoDataFrameMixin
from seqpipe.transformers._texts import FORMS, LEVELS, Form, Level, Text, as_texts
from seqpipe.transformers._vocabulary import Vocabulary

__all__ = ["TOKEN", "TokenizeTexts"]

#: Name of the one feature of tokenized texts.
TOKEN = "token"


class TokenizeTexts(
    NoDataFrameMixin,
    CallbackSupportMixin,  # type: ignore[call-arg]
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,
):
    """Convert texts to `Sequences` of token indices, for an estimator with ``embedding=``.

    Texts may be a list, an array or a pandas Series of strings, or of lists of tokens.

    Parameters
    ----------
    level : {"char", "word", "token"}, default="char"
        Kind of tokens: characters, words separated by whitespace, or the items of each list.
    lowercase : bool, default=False
        Whether to convert texts to lower case first; not with level="token".
    min_count : int, default=1
        Tokens that occur less often in ``fit`` are unknown; values above 1 require ``unknown="token"``.
    unknown : {"error", "token"}, default="error"
        How tokens not seen during ``fit`` are handled: raise an error, or replace them by a special unknown token,
        which is trained if min_count is above 1.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
        Unicode normalization form applied to texts before they are split, so that "é" is the same token as "e" with a
        combining accent; None leaves texts unchanged.

    Attributes
    ----------
    vocabulary_ : Vocabulary
        The tokens and their indices.

    Examples
    --------
    >>> from seqpipe import TokenizeTexts
    >>> TokenizeTexts().fit_transform(["abba", "cab"])[1].ravel()
    array([2., 0., 1.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "level": [StrOptions({*LEVELS})],
        "lowercase": ["boolean"],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "unknown": [StrOptions({"error", "token"})],
        "normalize": [StrOptions({*FORMS}), None],
    }
    _saved: ClassVar[dict[str, Schema]] = {"vocabulary_": Instance(Vocabulary)}
    vocabulary_: Vocabulary

    def __init__(
        self,
        level: Level = "char",
        *,
        lowercase: bool = False,
        min_count: int = 1,
        unknown: Literal["error", "token"] = "error",
        normalize: Form | None = "NFC",
    ) -> None:
        self.level = level
        self.lowercase = lowercase
        self.min_count = min_count
        self.unknown = unknown
        self.normalize = normalize

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def fit(self, X: Any, y: Any = None) -> TokenizeTexts:
        """Build the vocabulary of texts X; y is ignored."""
        self._validate_params()
        special = ("unknown",) if self.unknown == "token" else ()
        self.vocabulary_ = Vocabulary.of(
            self._texts(X), self.level, special=special, min_count=self.min_count, normalize=self.normalize
        )
        return self

    def transform(self, X: Any) -> Sequences:
        """Return `Sequences` with one token index per step.

        Raises
        ------
        InvalidSequencesError
            If a text has no tokens, or with ``unknown="error"`` an unknown token; the message names the position.
        """
        check_is_fitted(self)
        numbers = [self._encoded(i, text) for i, text in enumerate(self._texts(X))]
        ids = np.asarray(X.index) if hasattr(X, "iloc") else None
        offsets = np.cumsum([0, *map(len, numbers)])
        return Sequences(np.concatenate(numbers), offsets, ids=ids, feature_names=[TOKEN])

    def inverse_transform(self, X: Any) -> list[Text]:
        """Return the texts of sequences of token indices; words are joined by single spaces."""
        check_is_fitted(self)
        return [self.vocabulary_.decode(steps[:, 0]) for steps in as_sequences(X)]  # type: ignore[union-attr]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Return the name of the one feature; the argument is ignored."""
        return np.array([TOKEN], dtype=object)

    def _texts(self, X: Any) -> list[Text]:
        texts = as_texts(X, self.level)
        return [text.lower() if isinstance(text, str) else text for text in texts] if self.lowercase else texts

    def _encoded(self, i: int, text: Text) -> NDArray[np.int64]:
        try:
            numbers = self.vocabulary_.encode(text)
        except InvalidSequencesError as error:
            raise InvalidSequencesError(f"X, sample {i}: {error} Or set unknown='token'.") from None
        if not len(numbers):
            raise InvalidSequencesError(f"X, sample {i} has no tokens: drop empty texts.")
        return numbers
