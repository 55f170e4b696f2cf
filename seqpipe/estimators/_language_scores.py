"""Likelihood of texts and prediction of the next token by a fitted language model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import reports_score
from seqpipe.estimators._input import check_labels
from seqpipe.estimators._language_data import next_tokens
from seqpipe.estimators._next_token import NextToken, log_probabilities
from seqpipe.exceptions import InvalidSequencesError, did_you_mean
from seqpipe.networks import AveragedLanguage
from seqpipe.training import Samples
from seqpipe.transformers import Level, Text, Vocabulary, as_texts

__all__ = ["LanguageScoresMixin"]


class LanguageScoresMixin:
    """Scores texts and predicts the next token, for ensembles of `LanguageNetwork`."""

    level: Level
    dtype: str
    vocabulary_: Vocabulary
    classes_: NDArray[Any] | None
    class_prior_: NDArray[np.float64] | None

    # ---- encoding

    @property
    def _continuous(self) -> bool:
        return "end" not in self.vocabulary_.special

    def _encoded(self, texts: list[Text]) -> list[NDArray[np.int64]]:
        """Return the token numbers of each text, with the end-of-sequence token if texts are separate."""
        return [self._encode(text, f"X, sample {i}", end=not self._continuous) for i, text in enumerate(texts)]

    def _encode(self, text: Text, place: str, *, end: bool = False, empty: bool = False) -> NDArray[np.int64]:
        try:
            numbers = self.vocabulary_.encode(text, end=end)
        except InvalidSequencesError as error:
            raise InvalidSequencesError(f"{place}: {error} Alternatively, set unknown='token'.") from None
        if len(numbers) == int(end) and not empty:
            raise InvalidSequencesError(f"{place} has no tokens. Drop empty texts.")
        return numbers

    def _samples(
        self,
        numbers: list[NDArray[np.int64]],
        labels: NDArray[np.int64] | None,
        weight: NDArray[np.float64] | None = None,
    ) -> Samples:
        return next_tokens(numbers, self.vocabulary_.start, labels=labels, weight=weight, dtype=self.dtype)

    def _class_numbers(self, labels: NDArray[Any] | None, n_samples: int) -> NDArray[np.int64] | None:
        if labels is None:
            return None
        if self.classes_ is None:
            raise ValueError(f"{type(self).__name__} was fitted without classes. Omit the classes, or fit with y.")
        unknown = np.setdiff1d(labels, self.classes_)
        if len(unknown):
            label, classes = unknown.tolist()[0], self.classes_.tolist()
            raise ValueError(
                f"{label!r} is not among the classes of {type(self).__name__}: {classes}.{did_you_mean(label, classes)}"
            )
        return np.searchsorted(self.classes_, labels).astype(np.int64)

    def _averaged_network(self) -> AveragedLanguage:
        return AveragedLanguage(self._fitted_networks())  # type: ignore[attr-defined]

    # ---- likelihood

    @reports_score
    def score(self, X: Any, y: Any = None) -> float:
        """Return the negative of `bits_per_token`; higher is better.

        Parameters
        ----------
        X : str, or list of texts
            As in `fit`.
        y : array of shape (n_samples,), optional
            Class of each text.

        Returns
        -------
        score : float
        """
        return -self.bits_per_token(X, y)

    def bits_per_token(self, X: Any, y: Any = None) -> float:
        """Return the cross-entropy in bits per token; the ends of separate texts count as tokens.

        Parameters
        ----------
        X : str, or list of texts
            As in `fit`.
        y : array of shape (n_samples,), optional
            Class of each text.

        Returns
        -------
        bits : float
        """
        texts = self._checked(X)
        numbers = self._encoded(texts)
        n_tokens = sum(map(len, numbers))
        return float(-self._likelihoods(numbers, y).sum() / (n_tokens * np.log(2)))

    def score_samples(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Return the log-likelihood of each text, in nats.

        Parameters
        ----------
        X : str, or list of texts
            As in `fit`. Passages of one text are conditioned on the preceding ones.
        y : array of shape (n_samples,), optional
            Class of each text.

        Returns
        -------
        log_likelihood : array of shape (n_samples,)
        """
        return self._likelihoods(self._encoded(self._checked(X)), y)

    def _checked(self, X: Any) -> list[Text]:
        check_is_fitted(self)
        return as_texts([X] if isinstance(X, str) else X, self.level)

    def _likelihoods(self, numbers: list[NDArray[np.int64]], y: Any) -> NDArray[np.float64]:
        labels = self._class_numbers(None if y is None else check_labels(y, len(numbers)), len(numbers))
        if labels is not None or self.classes_ is None:
            return self._log_probabilities(numbers, labels)
        of_each = [self._log_probabilities(numbers, labels) for labels in self._each_class(len(numbers))]
        return np.asarray(np.logaddexp.reduce(np.stack(of_each) + self._log_prior, axis=0))

    def _log_probabilities(
        self, numbers: list[NDArray[np.int64]], labels: NDArray[np.int64] | None
    ) -> NDArray[np.float64]:
        texts = [np.concatenate(numbers)] if self._continuous else numbers
        found = log_probabilities(self._averaged_network(), self._samples(texts, labels))
        return np.add.reduceat(found, np.cumsum([0, *map(len, numbers[:-1])]))

    @property
    def _log_prior(self) -> NDArray[np.float64]:
        """Log probability of each class, shape (n_classes, 1)."""
        assert self.class_prior_ is not None
        return np.log(self.class_prior_)[:, None]

    def _each_class(self, n_samples: int) -> Iterator[NDArray[np.int64]]:
        assert self.classes_ is not None
        return (np.full(n_samples, number) for number in range(len(self.classes_)))

    # ---- prediction

    def predict(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Predict the most probable next token of each text.

        Parameters
        ----------
        X : str, or list of texts
            Texts from their beginning; may be empty.
        y : array of shape (n_samples,), optional
            Class of each text.

        Returns
        -------
        tokens : array of str, shape (n_samples,)
            Names of tokens; the end-of-sequence token is named "<end>".
        """
        check_is_fitted(self)
        return np.array(self.vocabulary_.names)[self.predict_proba(X, y).argmax(axis=1)]

    def predict_proba(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Predict the probability of each token to be the next one of each text.

        Parameters
        ----------
        X : str, or list of texts
            Texts from their beginning; may be empty.
        y : array of shape (n_samples,), optional
            Class of each text.

        Returns
        -------
        probabilities : array of shape (n_samples, n_tokens)
            Columns are in the order of ``vocabulary_.names``.
        """
        texts = self._checked(X)
        begun = [self._encode(text, f"X, sample {i}", empty=True) for i, text in enumerate(texts)]
        labels = self._class_numbers(None if y is None else check_labels(y, len(texts)), len(texts))
        if labels is not None or self.classes_ is None:
            return _softmax(self._logits_after(begun, labels), 1)
        return self._averaged(begun)

    def _logits_after(self, begun: list[NDArray[np.int64]], labels: NDArray[np.int64] | None) -> NDArray[np.float64]:
        rows, network = [], self._averaged_network()
        for i, text in enumerate(begun):
            model = NextToken(network, None if labels is None else labels[i : i + 1], 1)
            rows.append(model.push(np.append(self.vocabulary_.start, text)[None]))
        return np.concatenate(rows).astype(np.float64)

    def _averaged(self, begun: list[NDArray[np.int64]]) -> NDArray[np.float64]:
        """Return probabilities for texts of unknown class, weighted by the posterior of each class given the text."""
        known = [i for i, text in enumerate(begun) if len(text)]
        so_far, after = np.zeros((len(self._log_prior), len(begun))), []
        for number, labels in enumerate(self._each_class(len(begun))):
            if known:
                so_far[number, known] = self._log_probabilities([begun[i] for i in known], labels[known])
            after.append(_softmax(self._logits_after(begun, labels), 1))
        weights = _softmax(so_far + self._log_prior, 0)
        return np.einsum("cn,cnt->nt", weights, np.stack(after))


def _softmax(logits: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return np.asarray(np.exp(logits - np.logaddexp.reduce(logits, axis=axis, keepdims=True)))
