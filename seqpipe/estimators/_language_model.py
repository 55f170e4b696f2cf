"""`LanguageModel`: prediction of the next token, and generation of texts."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from seqpipe.estimators._cells import network_settings
from seqpipe.estimators._constant import ConstantComparisonMixin, target_rows
from seqpipe.estimators._declared import Group, fitted, parameter
from seqpipe.estimators._ensemble import EnsembleEstimator
from seqpipe.estimators._generation import GenerationMixin
from seqpipe.estimators._input import check_labels, check_weight
from seqpipe.estimators._language_data import auto_hidden_size, is_long, streams, warn_of_few
from seqpipe.estimators._language_scores import LanguageScoresMixin
from seqpipe.estimators._listeners import FitListeners, with_callbacks
from seqpipe.estimators._parameters import InitialStateParameter
from seqpipe.estimators._text_parameters import TokenParameters, UnknownTokenParameters
from seqpipe.estimators._truncated import TruncationMixin
from seqpipe.estimators.targets import log_frequencies
from seqpipe.networks import LanguageNetwork
from seqpipe.saved import ArrayOf, Instance, Number, Schema, optional
from seqpipe.training import Objective, Samples, StepLoss
from seqpipe.transformers import Text, Vocabulary, as_texts

__all__ = ["LanguageModel"]

#: Default number of streams that one long text is split into.
_STREAMS = 32
#: Number of tokens per part of one text in diagnostics, if backpropagation is not truncated.
_PASSAGE = 256


class LanguageModel(
    GenerationMixin,
    LanguageScoresMixin,
    ConstantComparisonMixin,
    TruncationMixin,
    UnknownTokenParameters,
    TokenParameters,
    InitialStateParameter,
    EnsembleEstimator,
):
    """Predict the next token of texts, and generate texts.

    X may be either of:

    - separate texts: a list, array or pandas Series of strings or, with ``level="token"``, of lists of strings or ints.
      The state is reset at the beginning of each text, which ends with an end-of-sequence token;
    - one long text: a string, a list of a single text of at least 2,048 tokens, or a list of consecutive passages with
      ``continuous=True``. The text is split into ``batch_size`` streams, and the state is carried over from each update to
      the next.

    y is None, or an array of shape (n_samples,) with the class of each separate text, on which predictions are
    conditioned.

    Notes
    -----
    The one-hot encoded class is concatenated to the input at every step. If a model with classes is given no class of a
    text, probabilities are averaged over the classes, with their frequencies in the training data as the prior.

    Examples
    --------
    >>> from seqpipe import LanguageModel
    >>> model = LanguageModel(hidden_size=16, max_epochs=100, random_state=0).fit(["hello world"] * 8)
    >>> model.generate("hell", temperature=0)
    ['hello world']
    """

    _network = LanguageNetwork

    embedding: int | str = parameter(
        default="one_hot",
        constraint=[Interval(Integral, 1, None, closed="left"), StrOptions({"one_hot"})],
        type='int or "one_hot"',
        description='Size of the learned embedding of tokens, or "one_hot".',
        group=Group.NETWORK,
    )
    hidden_size: int | str = parameter(
        default="auto",
        constraint=[Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        type='int or "auto"',
        description=(
            'Number of hidden units per recurrent layer; "auto" grows with the square root of the number of tokens in X, '
            "from 64 to 384 for a million tokens."
        ),
        group=Group.NETWORK,
    )
    tbptt: tuple[int, int] | list[int] | None = parameter(
        default=(64, 64),
        constraint=[list, tuple, None],
        type="(int, int) or None",
        description=(
            "Truncated backpropagation through time (k1, k2): an update every k1 tokens, backpropagated through k2 >= "
            "k1 tokens; None disables truncation. Texts of up to k1 tokens are never truncated."
        ),
        group=Group.TRAINING,
    )
    batch_size: str | int = parameter(
        default="auto",
        constraint=[StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        type='int or "auto"',
        description=(
            'Number of texts per batch, or of streams that one long text is cut into; "auto" grows from 32 to 256 '
            "with the number of texts, and is 32 streams."
        ),
        group=Group.TRAINING,
    )
    continuous: bool | str = parameter(
        default="auto",
        constraint=["boolean", StrOptions({"auto"})],
        type='bool or "auto"',
        description=(
            "Whether the texts of a list are consecutive passages of one text; a string always is one text. With "
            '"auto", so is a list of a single text of at least 2,048 tokens without a class.'
        ),
        group=Group.DATA,
    )

    hidden_size_: int = fitted("int", "Number of hidden units per recurrent layer.")
    vocabulary_: Vocabulary = fitted(
        "Vocabulary", "Vocabulary, which maps tokens to numbers.", saved=Instance(Vocabulary)
    )
    classes_: NDArray[Any] | None = fitted(
        "array of shape (n_classes,) or None",
        "The class labels of texts; None if fitted without classes.",
        saved=optional(ArrayOf("biufmMUO", 1)),
    )
    class_prior_: NDArray[np.float64] | None = fitted(
        "array of shape (n_classes,) or None",
        "Frequency of each class in the training data.",
        saved=optional(ArrayOf("f", 1)),
    )
    _saved: ClassVar[dict[str, Schema]] = {"_steps_per_sample": optional(Number(low=0))}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = tags.input_tags.three_d_array = False
        return tags

    # ---- fit

    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit to texts X, optionally with classes y.

        Parameters
        ----------
        X : str, or list of texts
            Training data, in any form that the class docstring lists.
        y : array of shape (n_samples,), optional
            Class of each text: integers or strings.
        sample_weight : array of shape (n_samples,), optional
            Weight of each text in the loss.

        Returns
        -------
        self : LanguageModel
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid.
        """
        return self._listened_fit(X, y, sample_weight, partial=False)

    @with_callbacks
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Continue training for one epoch at a constant learning rate; the state is not carried over between calls.

        Parameters
        ----------
        X : str, or list of texts
            Training data, of the same form in each call; new tokens require ``unknown="token"``.
        y : array of shape (n_samples,), optional
            Class of each text, among those of the first call, which also determines ``class_prior_``.
        sample_weight : array of shape (n_samples,), optional
            Weight of each text in the loss.

        Returns
        -------
        self : LanguageModel
            The fitted model.
        """
        return self._listened_fit(X, y, sample_weight, partial=True)

    def _fit(self, X: Any, y: Any, sample_weight: Any, listeners: FitListeners, *, partial: bool) -> None:
        goes_on = self._begin(partial)
        texts = as_texts([X] if isinstance(X, str) else X, self.level)
        labels = None if y is None else check_labels(y, len(texts))
        weight = check_weight(sample_weight, len(texts))
        continuous = isinstance(X, str) or self._joins(texts, alone=labels is None and weight is None)
        if continuous and not (labels is None and weight is None):
            raise ValueError(
                "Passages of one text have neither classes nor weights. Omit y and sample_weight, or pass a list of "
                "separate texts with continuous=False."
            )
        if weight is not None:
            kept = np.flatnonzero(weight > 0)
            texts, weight = [texts[i] for i in kept], weight[kept]
            labels = None if labels is None else labels[kept]
        if not goes_on:
            self._learn(texts, labels, continuous=continuous)
        elif continuous != self._continuous or (labels is None) != (self.classes_ is None):
            raise ValueError(
                "A fit that continues requires data of the same form as the first: one long text or separate ones, "
                "with or without classes. Otherwise fit with warm_start=False."
            )
        numbers = self._encoded(texts)
        if not (goes_on and self.hidden_size == "auto"):
            self.hidden_size_ = self._chosen_hidden_size(sum(map(len, numbers)))
        self._steps_per_sample = None if continuous else float(np.mean([len(text) for text in numbers]))
        if continuous:
            n_streams = _STREAMS if self.batch_size == "auto" else int(self.batch_size)
            numbers = streams(np.concatenate(numbers), n_streams)
        samples = self._samples(numbers, self._class_numbers(labels, len(texts)), weight)
        n_labels = 0 if self.classes_ is None else len(self.classes_)
        sizes = {"n_tokens": len(self.vocabulary_), "n_labels": n_labels}
        self._train(samples, sizes, listeners, partial=partial, labels=labels)

    def _joins(self, texts: list[Text], *, alone: bool) -> bool:
        """Return whether the texts of a list are passages of one text; ``alone`` if they have neither classes nor weights."""
        if self.continuous != "auto":
            return bool(self.continuous)
        if len(texts) == 1 and alone and is_long(texts[0]):
            return True
        warn_of_few(texts)
        return False

    def _chosen_hidden_size(self, n_tokens: int) -> int:
        return auto_hidden_size(n_tokens) if self.hidden_size == "auto" else int(self.hidden_size)

    def _samples_of(self, X: Any, y: Any) -> Samples:
        numbers = self._encoded(self._checked(X))
        if self._continuous:
            text = np.concatenate(numbers)
            length = _PASSAGE if self.tbptt is None else int(self.tbptt[1])
            numbers = np.split(text, range(length, len(text), length))
        if self.classes_ is not None and y is None:
            raise ValueError(f"This {type(self).__name__} was fitted with classes. Pass y, the class of each text.")
        labels = None if y is None else check_labels(y, len(numbers))
        return self._samples(numbers, self._class_numbers(labels, len(numbers)))

    def _learn(self, texts: list[Text], labels: NDArray[Any] | None, *, continuous: bool) -> None:
        wanted = {"start": True, "end": not continuous, "unknown": self.unknown == "token"}
        special = tuple(name for name, there in wanted.items() if there)
        self.vocabulary_ = Vocabulary.of(
            texts, self.level, special=special, min_count=self.min_count, normalize=self.normalize
        )
        self.classes_ = self.class_prior_ = None
        if labels is not None:
            self.classes_, counts = np.unique(labels, return_counts=True)
            self.class_prior_ = counts / counts.sum()

    def _network_settings(self) -> dict[str, Any]:
        return network_settings(self, hidden_size=self.hidden_size_)

    def _criterion_settings(self) -> dict[str, Any]:
        return {"criterion": torch.nn.CrossEntropyLoss}

    def _constant_outputs(self, train: Samples) -> NDArray[np.float64]:
        return log_frequencies(*target_rows(train), len(self.vocabulary_))

    def _objective(self) -> Objective:
        return StepLoss(labels=True, steps_per_sample=self._steps_per_sample)
