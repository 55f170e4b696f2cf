"""A language model's own tokens fed back to it: texts that it writes."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._next_token import NextToken
from seqpipe.estimators._sampling import Sampling
from seqpipe.training import SequenceNet
from seqpipe.transformers import Level, Text, Token, Vocabulary, join_tokens, split_text

__all__ = ["GenerationMixin"]


class GenerationMixin:
    """Writes texts, for an estimator whose net is a `LanguageNetwork`."""

    level: Level
    net_: SequenceNet
    vocabulary_: Vocabulary
    classes_: NDArray[Any] | None
    class_prior_: NDArray[np.float64] | None

    def generate(
        self,
        prompt: Text = "",
        *,
        n: int = 1,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
        stop: Text | None = None,
        label: Any = None,
    ) -> list[Text]:
        """Return ``n`` texts that begin with the prompt and go on until they end.

        Parameters
        ----------
        prompt : str or list of tokens, default=""
            What each text begins with.
        n : int, default=1
            How many texts; they are written at the same time.
        length : int, default=200
            Most tokens that are added to the prompt; a model of separate texts ends them by itself.
        temperature : float, default=1.0
            Below 1 the likely tokens become likelier; 0 always takes the likeliest.
        top_k : int, optional
            Draw from that many likeliest tokens only.
        top_p : float, optional
            Draw from the smallest set of likeliest tokens that together have this probability.
        random_state : int, RandomState or None, default=None
            The same int gives the same texts.
        stop : str or list of tokens, optional
            A text ends with the first of these that is added to it.
        label : int or str, optional
            The class of the texts, for a model that was fitted to classes; drawn by their shares if not given.

        Returns
        -------
        texts : list of str, or of lists of tokens
            Prompts included, as the model's level has it.

        Raises
        ------
        ValueError
            If a parameter is out of range, or prompt, stop or label is nothing that the model knows.
        """
        n = _counted("n", n)
        written = self._written(prompt, n, length, temperature, top_k, top_p, random_state, stop, label)
        texts = [split_text(prompt, self.level)[:] for _ in range(n)]
        for row, token in written:
            texts[row].append(token)
        return [join_tokens(text, self.level) for text in texts]

    def stream_generate(
        self,
        prompt: Text = "",
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
        stop: Text | None = None,
        label: Any = None,
    ) -> Iterator[Token]:
        """Return an iterator over the tokens that `generate` adds to the prompt, each as soon as it is drawn.

        Parameters are those of `generate`, for one text. Wrong ones raise at once, not at the first token.
        """
        written = self._written(prompt, 1, length, temperature, top_k, top_p, random_state, stop, label)
        return (token for _, token in written)

    def _written(
        self,
        prompt: Text,
        n: int,
        length: int,
        temperature: float,
        top_k: int | None,
        top_p: float | None,
        random_state: Any,
        stop: Text | None,
        label: Any,
    ) -> Iterator[tuple[int, Token]]:
        """Check all that has to be checked; return an iterator over text and token, ends left out."""
        check_is_fitted(self)
        begin = self._encode(prompt, "prompt", empty=True)  # type: ignore[attr-defined]
        sampling = Sampling(temperature, top_k, top_p)
        random = check_random_state(random_state)
        last = [] if stop is None else self._encode(stop, "stop").tolist()  # type: ignore[attr-defined]
        model = NextToken(self.net_, self._labels_of(label, n, random), n)
        drawn = self._drawn(model, np.append(self.vocabulary_.start, begin), sampling, random)
        end = self.vocabulary_.end if "end" in self.vocabulary_.special else None
        written = _until_over(drawn, n, _counted("length", length), end, last)
        return ((row, self.vocabulary_.token(token)) for row, token in written)

    def _labels_of(self, label: Any, n: int, random: np.random.RandomState) -> NDArray[np.int64] | None:
        if label is not None:
            found: NDArray[np.int64] = self._class_numbers(np.full(n, label), n)  # type: ignore[attr-defined]
            return found
        if self.classes_ is None:
            return None
        return random.choice(len(self.classes_), size=n, p=self.class_prior_)

    def _drawn(
        self, model: NextToken, begin: NDArray[np.int64], sampling: Sampling, random: np.random.RandomState
    ) -> Iterator[NDArray[np.int64]]:
        """Yield the next token of each text, shape (n,), without end; never one that stands for no token."""
        vocabulary = self.vocabulary_
        never = [number for number, name in enumerate(vocabulary.special) if name != "end"]
        tokens = begin[None]
        while True:
            logits = model.push(tokens)
            logits[:, never] = -np.inf
            drawn = sampling.draw(logits, random)
            yield drawn
            tokens = drawn[:, None]


def _until_over(
    drawn: Iterator[NDArray[np.int64]], n: int, length: int, end: int | None, stop: list[int]
) -> Iterator[tuple[int, int]]:
    """Yield text and token, text by text and step by step, while a text has neither ended nor stopped."""
    going: dict[int, list[int]] = {row: [] for row in range(n)}
    for _, tokens in zip(range(length), drawn):
        for row, recent in list(going.items()):
            token = int(tokens[row])
            if token != end:
                yield row, token
            recent.append(token)
            if token == end or (stop and recent[-len(stop) :] == stop):
                del going[row]
        if not going:
            return


def _counted(name: str, value: Any) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"The {name!r} parameter of generate must be an integer from 1. Got {value!r} instead.")
    return int(value)
