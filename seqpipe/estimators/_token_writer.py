"""`TokenWriter`: the base of estimators that generate a sequence of tokens per sample."""

from __future__ import annotations

from abc import abstractmethod
from math import ceil
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from seqpipe.callbacks import reports_score
from seqpipe.estimators._constant import ConstantComparisonMixin, target_rows
from seqpipe.estimators._declared import fitted
from seqpipe.estimators._ensemble import EnsembleEstimator
from seqpipe.estimators._input import check_weight
from seqpipe.estimators._listeners import FitListeners
from seqpipe.estimators._text_parameters import TokenParameters, WritingParameters
from seqpipe.estimators._token_data import as_objects, encoded_targets
from seqpipe.estimators._token_scores import edit_distances, exact_matches, token_accuracy
from seqpipe.estimators.targets import log_frequencies
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.networks import beam_search
from seqpipe.saved import AnyOf, Instance, Number, Schema, TextOf, Whole
from seqpipe.sequences import Sequences
from seqpipe.training import Objective, Samples, TargetLoss
from seqpipe.transformers import Level, Text, Token, Vocabulary, as_texts

__all__ = ["TokenWriter"]

#: Default maximum length of predictions, relative to the longest training target.
_ROOM = 1.5
#: Number of tokens of a text that a model from a file may write.
_LONGEST_TEXT = 100_000


class TokenWriter(ConstantComparisonMixin, WritingParameters, TokenParameters, EnsembleEstimator):
    """Base class of estimators with networks that have a `TokenDecoder`: training on target tokens, and search for the best prediction."""

    target_vocabulary_: Vocabulary = fitted(
        "Vocabulary", "Vocabulary of y, which maps tokens to numbers.", saved=Instance(Vocabulary)
    )
    longest_target_: int = fitted(
        "int", "Number of tokens of the longest training target.", saved=Whole(high=_LONGEST_TEXT)
    )
    _saved: ClassVar[dict[str, Schema]] = {
        "_target_steps": Number(low=0),
        "beam_width": Whole(1, 10_000),
        "max_length": AnyOf((TextOf(among=("auto",)), Whole(1, _LONGEST_TEXT))),
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    @property
    def _target_level(self) -> Level:
        """The level of tokens of y."""
        return self.level

    @abstractmethod
    def _check_source(self, X: Any, *, reset: bool) -> Any:
        """Validate X; return an object with a length."""

    @abstractmethod
    def _take_source(self, found: Any, kept: NDArray[np.int64]) -> Any:
        """Return the samples with the given indices from the result of `_check_source`."""

    @abstractmethod
    def _encode_source(self, found: Any, *, reset: bool) -> Sequences:
        """Return the inputs of the network; with ``reset``, set the encoding from the training data."""

    @abstractmethod
    def _source_sizes(self) -> dict[str, int]:
        """Return the arguments of the network that depend on X."""

    # ---- fit

    def _fit(self, X: Any, y: Any, sample_weight: Any, listeners: FitListeners, *, partial: bool) -> None:
        goes_on = self._begin(partial)
        found = self._check_source(X, reset=not goes_on)
        texts = self._check_texts(y, len(found))
        weight = check_weight(sample_weight, len(found))
        if weight is not None:
            kept = np.flatnonzero(weight > 0)
            found, texts, weight = self._take_source(found, kept), [texts[i] for i in kept], weight[kept]
        if not goes_on:
            self.target_vocabulary_ = self._vocabulary_of(texts)
        targets = encoded_targets(self.target_vocabulary_, texts, self.dtype)
        self.longest_target_ = max(0 if not goes_on else self.longest_target_, int(targets.lengths.max()) - 1)
        self._target_steps = float(np.average(targets.lengths, weights=weight))
        samples = Samples(self._encode_source(found, reset=not goes_on), targets, self._normalized(weight))
        sizes = self._source_sizes() | {"n_outputs": len(self.target_vocabulary_)}
        self._train(samples, sizes, listeners, partial=partial)

    def _vocabulary_of(self, texts: list[Text]) -> Vocabulary:
        try:
            return Vocabulary.of(texts, self._target_level, special=("end",), normalize=self.normalize)
        except InvalidSequencesError as error:
            raise InvalidSequencesError(f"y: {error}") from None

    def _samples_of(self, X: Any, y: Any) -> Samples:
        found = self._check_source(X, reset=False)
        texts = self._check_texts(self.predict(X) if y is None else y, len(found))
        targets = encoded_targets(self.target_vocabulary_, texts, self.dtype)
        return Samples(self._encode_source(found, reset=False), targets)

    def _check_texts(self, y: Any, n_samples: int) -> list[Text]:
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        texts = as_texts(y, self._target_level, name="y")
        if len(texts) != n_samples:
            raise InvalidSequencesError(
                f"Found input variables with inconsistent numbers of samples: {[n_samples, len(texts)]}. "
                "y must have one text per sample."
            )
        return texts

    def _criterion_settings(self) -> dict[str, Any]:
        return {"criterion": torch.nn.CrossEntropyLoss}

    def _constant_outputs(self, train: Samples) -> NDArray[np.float64]:
        return log_frequencies(*target_rows(train), len(self.target_vocabulary_))

    def _objective(self) -> Objective:
        return TargetLoss(float(self._target_steps))

    # ---- predict

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the most probable text for each sample, by greedy or beam search.

        Parameters
        ----------
        X : samples
            Input data, in any form that the class docstring lists.

        Returns
        -------
        y_pred : object array of shape (n_samples,)
            Texts of the type of y: strings or lists of tokens.
        """
        return self._best(self._search(X, 1)[0])

    def member_predictions(self, X: Any) -> list[NDArray[Any]]:
        """Return the texts that each network would predict, by the same search as `predict`.

        Parameters
        ----------
        X : samples
            Input data, in any form that the class docstring lists.

        Returns
        -------
        predictions : list of n_members object arrays of shape (n_samples,)
            Texts of the type of y.
        """
        check_is_fitted(self)
        return [self._best(self._search(X, 1, [network])[0]) for network in self._fitted_networks()]

    def _best(self, tokens: NDArray[np.int64]) -> NDArray[Any]:
        """Return the best text for each sample from the result of `_search`."""
        return as_objects([self.target_vocabulary_.decode(best[0]) for best in tokens])

    def predict_n_best(self, X: Any, n: int = 5) -> list[list[tuple[Text, float]]]:
        """Predict the n best texts for each sample by beam search, with their scores.

        Parameters
        ----------
        X : samples
            Input data, in any form that the class docstring lists.
        n : int, default=5
            Number of texts per sample, and minimum beam width. Fewer are returned if ``max_length`` and the vocabulary
            do not allow as many.

        Returns
        -------
        texts : list of n_samples lists of (text, score)
            Texts in decreasing order of their scores, which are log-probabilities divided by the length penalty.
        """
        if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
            raise ValueError(f"The 'n' parameter of predict_n_best must be an int >= 1. Got {n!r} instead.")
        tokens, scores = self._search(X, int(n))
        decode = self.target_vocabulary_.decode
        return [
            [(decode(text), float(score)) for text, score in zip(texts, found) if np.isfinite(score)]
            for texts, found in zip(tokens, scores)
        ]

    def _search(self, X: Any, n_best: int, networks: list[Any] | None = None) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Search with the given networks, by default all of the ensemble, for the best texts.

        Returns
        -------
        tokens : array of int, shape (n_samples, n_best, max_length)
            Token numbers, padded with the end-of-sequence token.
        scores : array of shape (n_samples, n_best)
        """
        check_is_fitted(self)
        self._validate_params()  # parameters of the search may have changed after fit
        samples = Samples(self._encode_source(self._check_source(X, reset=False), reset=False))
        longest = max(1, ceil(_ROOM * self.longest_target_)) if self.max_length == "auto" else int(self.max_length)
        searched, width = networks or self._fitted_networks(), max(int(self.beam_width), n_best)

        def search(inputs: dict[str, Tensor], _: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
            best = beam_search(
                searched,
                inputs["x"],
                inputs.get("lengths"),
                max_length=longest,
                width=width,
                length_penalty=float(self.length_penalty),
                n_best=n_best,
            )
            return best.tokens.cpu().numpy(), best.scores.cpu().numpy()

        tokens = np.empty((len(samples), n_best, longest), dtype=np.int64)
        scores = np.empty((len(samples), n_best), dtype=self.dtype)
        for indices, found in self.net_.each_batch(samples, search, rows=width * len(searched)):
            tokens[indices], scores[indices] = found
        return tokens, scores

    # ---- scores

    @reports_score
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the fraction of samples whose text is predicted exactly."""
        truth, predicted = self._compared(X, y)
        weight = check_weight(sample_weight, len(truth))
        return float(np.average(exact_matches(truth, predicted), weights=weight))

    def token_accuracy(self, X: Any, y: Any) -> float:
        """Return the fraction of positions with the correct token, over the longer of target and prediction."""
        return token_accuracy(*self._compared(X, y))

    def edit_distance(self, X: Any, y: Any) -> float:
        """Return the mean edit distance per sample, in tokens."""
        return float(edit_distances(*self._compared(X, y)).mean())

    def _compared(self, X: Any, y: Any) -> tuple[list[list[Token]], list[list[Token]]]:
        """Return the tokens of the target texts and of the predicted texts."""
        predicted = self.predict(X)
        truth = self._check_texts(y, len(predicted))
        split = self.target_vocabulary_.split
        return [split(text) for text in truth], [split(text) for text in predicted]
